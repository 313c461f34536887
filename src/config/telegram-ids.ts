import { z } from 'zod';

/** A person who may decide in Telegram, known by the numeric user id. */
export interface TelegramOperator {
  readonly id: string;
  readonly name: string;
}

const OPERATOR = /^(\d+)(?::([^,:]{1,64}))?$/;

/** "At most 52 significant bits", says the Bot API of the ids of users and chats. */
const MAX_TELEGRAM_ID = 2 ** 52 - 1;

/** Ids are compared as text, so they must be as Telegram writes them: without leading zeros. */
const TELEGRAM_ID = /^[1-9]\d*$/;

const isTelegramId = (digits: string): boolean =>
  TELEGRAM_ID.test(digits) && Number(digits) <= MAX_TELEGRAM_ID;

/** Shared sender ids of anonymous group admins and linked channels; they identify no person. */
const SHARED_IDS = new Set(['1087968824', '777000', '136817688']);

export const operators = z.string().transform((value, context): readonly TelegramOperator[] => {
  const found = new Map<string, TelegramOperator>();
  for (const entry of value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')) {
    const [, id, name] = OPERATOR.exec(entry) ?? [];
    if (id === undefined) {
      context.addIssue(
        `"${entry}" is neither a numeric Telegram user id nor id:name (usernames do not count)`,
      );
    } else if (!isTelegramId(id)) {
      context.addIssue(
        `"${entry}": no Telegram user has the id ${id} (no leading zeros, at most ${MAX_TELEGRAM_ID})`,
      );
    } else if (SHARED_IDS.has(id)) {
      context.addIssue(`${id} is an id that Telegram shares among people; name persons`);
    } else if (found.has(id)) {
      context.addIssue(`operator ${id} is listed twice`);
    } else {
      found.set(id, { id, name: name?.trim() ?? id });
    }
  }
  return [...found.values()];
});

/** Ids of supergroups begin with -100 and have at least ten further digits; no other chat has topics. */
const FIRST_SUPERGROUP_ID = -1_000_000_000_000;
/** Topic ids are message ids, which have 32 bits. */
const MAX_TOPIC_ID = 2 ** 31 - 1;
/** A link shows the General topic as 1, and the Bot API addresses it as the chat itself. */
const GENERAL_TOPIC = 1;

export const destination = z
  .string()
  .regex(
    /^-?\d+(\/\d+)?$/,
    'must be the numeric chat id (negative for groups), with /topic for a topic of a forum, such as -1001234567890/17',
  )
  .transform((value, context) => {
    const [chatId = '', topic] = value.split('/');
    if (!isTelegramId(chatId.replace('-', '')))
      context.addIssue(`is not a valid Telegram id (no leading zeros, at most ${MAX_TELEGRAM_ID})`);
    if (topic !== undefined) {
      if (!TELEGRAM_ID.test(topic) || Number(topic) > MAX_TOPIC_ID)
        context.addIssue(`"/${topic}" is not a topic id (1 to ${MAX_TOPIC_ID}, no leading zeros)`);
      if (Number(chatId) > FIRST_SUPERGROUP_ID)
        context.addIssue(
          `only supergroups have topics, and their ids begin with -100: leave out "/${topic}"`,
        );
    }
    return { chatId, threadId: topic === undefined || Number(topic) === GENERAL_TOPIC ? '0' : topic };
  });
