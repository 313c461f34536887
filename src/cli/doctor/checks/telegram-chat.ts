import { z } from 'zod';
import { BotApiRefusal } from '../bot-api';
import { error, seen, skipped, telegramOff, type Check } from '../check';

const chatSchema = z.object({ id: z.int(), type: z.string(), title: z.string().optional() });
const meSchema = z.object({ id: z.int() });
const memberSchema = z.object({
  status: z.string(),
  is_member: z.boolean().optional(),
  can_send_messages: z.boolean().optional(),
});

/** The chat is there, and the bot is in it and may write. */
export const telegramChatCheck: Check = {
  name: 'telegram-chat',
  async examine({ telegram, config }) {
    if (telegram === null || config.telegram === null) return telegramOff;
    const { chatId } = config.telegram;
    const me = await telegram.ask('getMe', {}, meSchema).catch(() => null);
    if (me === null) return skipped('needs a token that Telegram takes');
    try {
      const chat = await telegram.ask('getChat', { chat_id: chatId }, chatSchema);
      const name = chat.title ?? `${chat.type} chat ${chatId}`;
      if (chat.type === 'private') return seen(name);
      const bot = await telegram.ask('getChatMember', { chat_id: chatId, user_id: me.id }, memberSchema);
      const mute =
        ['left', 'kicked'].includes(bot.status) ||
        (bot.status === 'restricted' && (bot.is_member === false || bot.can_send_messages === false));
      if (!mute) return seen(`${name}, as ${bot.status}`);
      return seen(
        bot.status,
        error(
          `the bot is ${bot.status} in ${name} and cannot write there`,
          'add it to the chat again, with the right to write',
        ),
      );
    } catch (reason) {
      if (!(reason instanceof BotApiRefusal)) throw reason;
      return seen(
        'out of reach',
        error(
          `the chat ${chatId} is out of reach: ${reason.message}`,
          'add the bot to it and see that TELEGRAM_CHAT_ID is its id: /whoami in the chat tells',
        ),
      );
    }
  },
};
