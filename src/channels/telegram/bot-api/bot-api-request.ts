import { TelegramError, type Telegram } from 'telegraf';
import { AnswerTooLong, boundedText } from '../../../kernel/bounded-text';
import { parseEnvelope, UnreadableAnswer } from './bot-api-answers';

/** A hundred updates of a few kilobytes each fit many times; more than this is not an answer of the Bot API. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/**
 * One request to the Bot API. A member of `payload` that is a `File` is sent as one.
 *
 * It bypasses Telegraf's own client, which reads an answer of any size, accepts any JSON as an answer, keeps a timer
 * of 500 s for an aborted call, and never ends a call with a file from Node.js 26 on (nodejs/node#60441).
 *
 * @returns the `result` of the answer, not validated
 * @throws TelegramError for a refusal; UnreadableAnswer for an answer in another form; else the error of the network
 *   or of `signal`
 */
export async function requestBotApi(
  { token, options }: Pick<Telegram, 'token' | 'options'>,
  method: string,
  payload: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<unknown> {
  const response = await fetch(new URL(`./bot${token}/${method}`, options.apiRoot), {
    method: 'POST',
    ...encode(payload),
    // A redirect would send the token and the action to another address.
    redirect: 'manual',
    ...(signal ? { signal } : {}),
  });
  if (response.status >= 500) {
    await response.body?.cancel();
    throw new TelegramError({ error_code: response.status, description: response.statusText });
  }
  const answer = parseEnvelope(await textOf(response), response.status);
  if ('refusal' in answer) throw new TelegramError(answer.refusal);
  return answer.result;
}

function encode(payload: Record<string, unknown>): Pick<RequestInit, 'headers' | 'body'> {
  if (!Object.values(payload).some((value) => value instanceof File))
    return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(payload) };
  const form = new FormData();
  for (const [name, value] of Object.entries(payload))
    form.append(name, value instanceof File || typeof value === 'string' ? value : JSON.stringify(value));
  return { body: form };
}

async function textOf(response: Response): Promise<string> {
  try {
    return await boundedText(response, MAX_ANSWER_BYTES);
  } catch (error) {
    throw error instanceof AnswerTooLong ? new UnreadableAnswer(error.message) : error;
  }
}
