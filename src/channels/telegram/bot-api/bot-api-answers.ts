import { z } from 'zod';
import { abbreviate } from '../../../kernel/cut-text';

/** Telegram's waits are hours at most; a longer one is an error, and a chat must not wait for it. */
export const MAX_RETRY_AFTER_SECONDS = 6 * 3600;

/** Telegram's descriptions are one line; a longer text comes from another sender, such as a proxy. */
const MAX_DESCRIPTION_LENGTH = 300;

const done = z.literal(true);
const message = z.looseObject({ message_id: z.int().positive() });

/**
 * The result of every method that the service calls, with the members that the service uses.
 *
 * Source: core.telegram.org/bots/api#available-methods.
 */
const RESULTS = {
  getMe: z.looseObject({
    id: z.int().positive(),
    is_bot: z.boolean(),
    first_name: z.string(),
    username: z.string().optional(),
  }),
  getChat: z.looseObject({ id: z.int(), type: z.string() }),
  // Each update is parsed separately, so that one malformed update does not block the others.
  getUpdates: z.array(z.unknown()),
  setWebhook: done,
  deleteWebhook: done,
  setMyCommands: done,
  answerCallbackQuery: done,
  sendChatAction: done,
  sendMessage: message.extend({ text: z.string().optional() }),
  sendDocument: message,
  sendPhoto: message,
  // True for a message that was sent by inline mode.
  editMessageText: z.union([message, done]),
  editMessageReplyMarkup: z.union([message, done]),
} satisfies Readonly<Record<string, z.ZodType>>;

export type BotApiMethod = keyof typeof RESULTS;
export type BotApiResult<Method extends BotApiMethod> = z.infer<(typeof RESULTS)[Method]>;

/** The answer does not have the form of the Bot API. Telegram may have executed the call. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
}

/** A refusal in which every field has its type. */
export interface Refusal {
  readonly error_code: number;
  readonly description: string;
  readonly parameters?: { readonly retry_after?: number; readonly migrate_to_chat_id?: number };
}

/** @throws UnreadableAnswer if the method does not return such a result */
export function parseResult<Method extends BotApiMethod>(
  method: Method,
  result: unknown,
): BotApiResult<Method> {
  const parsed = RESULTS[method].safeParse(result);
  if (parsed.success) return parsed.data as BotApiResult<Method>;
  throw new UnreadableAnswer(`the answer is not a result of ${method} (${firstIssue(parsed.error)})`);
}

/**
 * The result or the refusal in the text of an answer.
 *
 * @throws UnreadableAnswer if it is neither
 */
export function parseEnvelope(text: string, httpStatus: number): { result: unknown } | { refusal: Refusal } {
  const answer = parseJson(text, httpStatus);
  if (!isRecord(answer) || typeof answer.ok !== 'boolean')
    throw new UnreadableAnswer(`HTTP ${httpStatus}: the answer is not one of the Bot API`);
  if (answer.ok) {
    if (httpStatus >= 300) throw new UnreadableAnswer(`HTTP ${httpStatus} with "ok": true`);
    return { result: answer.result };
  }
  return { refusal: parseRefusal(answer, httpStatus) };
}

const isErrorCode = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 400 && Number(value) <= 599;

function parseRefusal(answer: Readonly<Record<string, unknown>>, httpStatus: number): Refusal {
  const code = [answer.error_code, httpStatus].find(isErrorCode);
  if (code === undefined)
    throw new UnreadableAnswer(`HTTP ${httpStatus}: the refusal has no error code of the Bot API`);
  const description =
    typeof answer.description === 'string' ? abbreviate(answer.description, MAX_DESCRIPTION_LENGTH) : '';
  const parameters = isRecord(answer.parameters) ? answer.parameters : {};
  const wait = parseRetryAfter(parameters.retry_after);
  const chat = parseChatId(parameters.migrate_to_chat_id);
  const believed = {
    ...(wait.seconds === null ? {} : { retry_after: wait.seconds }),
    ...(chat === null ? {} : { migrate_to_chat_id: chat }),
  };
  return {
    error_code: code,
    description: [description || `refused with ${code}`, ...(wait.note ? [wait.note] : [])].join('; '),
    ...(Object.keys(believed).length > 0 ? { parameters: believed } : {}),
  };
}

/** Parses `retry_after`; for a malformed value `seconds` is null, and the caller uses its own backoff. */
function parseRetryAfter(value: unknown): { seconds: number | null; note: string | null } {
  if (value === undefined || value === null) return { seconds: null, note: null };
  const digits = typeof value === 'string' && /^\d{1,15}$/.test(value);
  const seconds = digits ? Number(value) : typeof value === 'number' ? value : NaN;
  if (!(seconds > 0)) return { seconds: null, note: 'its retry_after cannot be read and is ignored' };
  if (seconds > MAX_RETRY_AFTER_SECONDS) {
    const note = `its retry_after is taken as ${MAX_RETRY_AFTER_SECONDS} s, the longest wait that is believed`;
    return { seconds: MAX_RETRY_AFTER_SECONDS, note };
  }
  return { seconds, note: null };
}

function parseChatId(value: unknown): number | null {
  const id = typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof id === 'number' && Number.isSafeInteger(id) && id !== 0 ? id : null;
}

function parseJson(text: string, httpStatus: number): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new UnreadableAnswer(`HTTP ${httpStatus}: the answer is not JSON`);
  }
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  const path = issue?.path.map(String).join('.') ?? '';
  return path === '' ? (issue?.message ?? 'wrong type') : `${path}: ${issue?.message ?? 'wrong type'}`;
}
