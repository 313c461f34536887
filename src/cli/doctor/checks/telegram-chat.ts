import { z } from 'zod';
import { BotApiRefusal } from '../bot-api';
import { NO_TOPIC } from '../../../channels/telegram/lane';
import { error, seen, skipped, telegramOff, warning, type Check } from '../check';

const chatSchema = z.object({
  id: z.int(),
  type: z.string(),
  title: z.string().optional(),
  permissions: z.object({ can_send_documents: z.boolean().optional() }).optional(),
});
const meSchema = z.object({ id: z.int() });
const memberSchema = z.object({
  status: z.string(),
  is_member: z.boolean().optional(),
  can_send_messages: z.boolean().optional(),
  can_send_documents: z.boolean().optional(),
});

/** True if the bot may not send files. Administrators always may, whatever the rights of the members. */
function filesRefused(
  chat: z.infer<typeof chatSchema>,
  { status, can_send_documents: own }: z.infer<typeof memberSchema>,
): boolean {
  if (status === 'restricted') return own === false;
  return status === 'member' && chat.permissions?.can_send_documents === false;
}

/** Checks that the chat exists, its topic is open, and the bot is a member and may write. */
export const telegramChatCheck: Check = {
  name: 'telegram-chat',
  async examine({ telegram, config }) {
    if (telegram === null || config.telegram === null) return telegramOff;
    const { chatId, threadId } = config.telegram;
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
      if (!mute) {
        await telegram.ask(
          'sendChatAction',
          {
            chat_id: chatId,
            action: 'typing',
            ...(threadId === NO_TOPIC ? {} : { message_thread_id: Number(threadId) }),
          },
          z.literal(true),
        );
        const files = filesRefused(chat, bot)
          ? [
              warning(
                `the bot may not send files in ${name}: long actions are sent as several messages, and very long ones cannot be approved there`,
                'let the bot send files in the chat',
              ),
            ]
          : [];
        return seen(`${name}, as ${bot.status}`, ...files);
      }
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
          `the chat ${chatId}${threadId === NO_TOPIC ? '' : `/${threadId}`} is out of reach: ${reason.message}`,
          'add the bot to it, reopen its topic if that is closed, and see that TELEGRAM_CHAT_ID is its id',
        ),
      );
    }
  },
};
