import { TelegramError, type Telegram } from 'telegraf';

type Answer<Result> = { ok: true; result: Result } | ({ ok: false } & TelegramError['response']);

/**
 * One request to the Bot API. A member of `payload` that is a `File` is sent as one.
 *
 * Rejects with TelegramError for an answer that is an error, else with what kept one from coming.
 */
export function requestBotApi<Result>(
  telegram: Telegram,
  method: string,
  payload: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<Result> {
  if (Object.values(payload).some((value) => value instanceof File))
    return upload(telegram, method, payload, signal);
  // Telegraf types every method; ours are fixed by the callers, whose results are checked where they matter.
  const untyped = telegram.callApi.bind(telegram) as unknown as (
    method: string,
    payload: object,
    options: { signal?: AbortSignal },
  ) => Promise<Result>;
  return untyped(method, payload, signal ? { signal } : {});
}

/**
 * Past Telegraf, which expects one `read()` to return all that a stream has ready. From Node.js 26 on it returns the
 * first chunk (nodejs/node#60441), and a call with a file never ends.
 */
async function upload<Result>(
  { token, options }: Telegram,
  method: string,
  payload: Record<string, unknown>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  const form = new FormData();
  for (const [name, value] of Object.entries(payload))
    form.append(name, value instanceof File || typeof value === 'string' ? value : JSON.stringify(value));
  const response = await fetch(new URL(`./bot${token}/${method}`, options.apiRoot), {
    method: 'POST',
    body: form,
    ...(signal ? { signal } : {}),
  });
  if (response.status >= 500) {
    await response.body?.cancel();
    throw new TelegramError({ error_code: response.status, description: response.statusText });
  }
  const answer = (await response.json()) as Answer<Result>;
  if (!answer.ok) throw new TelegramError(answer);
  return answer.result;
}
