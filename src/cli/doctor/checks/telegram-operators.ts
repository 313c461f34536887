import { z } from 'zod';
import { BotApiRefusal, type BotApi } from '../bot-api';
import { error, seen, skipped, telegramOff, warning, type Check } from '../check';

/** HTTP status of getChatMember for a person whom Telegram does not know in the chat. */
const UNKNOWN_PERSON = 400;

const memberSchema = z.object({ status: z.string(), is_member: z.boolean().optional() });

/** True if the person is in the chat and so sees the cards; null: Telegram does not know the person in this chat. */
async function isThere(telegram: BotApi, chatId: string, userId: string): Promise<boolean | null> {
  try {
    const question = { chat_id: chatId, user_id: Number(userId) };
    const { status, is_member } = await telegram.ask('getChatMember', question, memberSchema);
    return !['left', 'kicked'].includes(status) && is_member !== false;
  } catch (reason) {
    if (reason instanceof BotApiRefusal && reason.status === UNKNOWN_PERSON) return null;
    throw reason;
  }
}

/** Checks that every operator can see the cards. */
export const telegramOperatorsCheck: Check = {
  name: 'telegram-operators',
  async examine({ telegram, config }) {
    if (telegram === null || config.telegram === null) return telegramOff;
    const { chatId, operators } = config.telegram;
    const reachable = await telegram.ask('getChat', { chat_id: chatId }, z.looseObject({})).then(
      () => true,
      () => false,
    );
    if (!reachable) return skipped('needs a chat that the bot reaches');
    const findings = [];
    let present = 0;
    for (const { id, name } of operators) {
      const there = await isThere(telegram, chatId, id);
      if (there === true) present += 1;
      else {
        findings.push(
          warning(
            there === null
              ? `operator ${name} (${id}) is nobody that Telegram knows in the chat`
              : `operator ${name} (${id}) is not in the chat`,
            'add the person to the chat, or correct TELEGRAM_OPERATORS: /whoami tells everybody their id',
          ),
        );
      }
    }
    if (present === 0) findings.push(error('nobody in the chat may decide', 'add an operator to the chat'));
    return seen(`${present} of ${operators.length} in the chat`, ...findings);
  },
};
