import { TelegramError } from 'telegraf';
import { UnreadableAnswer } from './bot-api-answers';

/** Why an attempt failed. */
export type FailureReason =
  | 'rate-limited'
  | 'unauthorized'
  | 'forbidden'
  | 'conflict'
  | 'bad-request'
  | 'server-error'
  | 'network'
  | 'timeout'
  | 'bad-answer';

/** A Bot API call that failed, or was not tried. Nothing in it carries the token or what was sent. */
export class TelegramFailure extends Error {
  override readonly name = 'TelegramFailure';

  constructor(
    readonly method: string,
    readonly reason: FailureReason | 'circuit-open',
    description: string,
    /** The Bot API's error code, or null when no answer was understood. */
    readonly status: number | null,
    readonly retryAfterMs: number | null,
    readonly migratedToChatId: string | null,
    /** The request may have been carried out although no answer came. */
    readonly outcomeUnknown: boolean,
  ) {
    super(`${method}: ${description}`);
  }

  /** The edit found already there what it was to bring. */
  get isNotModified(): boolean {
    return this.status === 400 && this.message.includes('message is not modified');
  }
}

/** No answer within the time of a call. */
export function timeoutFailure(method: string): TelegramFailure {
  return new TelegramFailure(method, 'timeout', 'no answer in time', null, null, null, true);
}

/** Our own budget was used up: the same as being told so by Telegram, only earlier. */
export function noRoomFailure(method: string): TelegramFailure {
  return new TelegramFailure(method, 'rate-limited', 'no room in the send budget', null, null, null, false);
}

/** Not even tried. */
export function circuitOpenFailure(method: string): TelegramFailure {
  return new TelegramFailure(
    method,
    'circuit-open',
    'not tried, the circuit is open',
    null,
    null,
    null,
    false,
  );
}

/** Ended before its first attempt. */
export function stoppedFailure(method: string): TelegramFailure {
  return new TelegramFailure(method, 'network', 'not tried, the caller stops', null, null, null, false);
}

/** The token as it stands in URLs: its number is no secret, the rest is. */
const TOKEN = /(\d{5,20}):[A-Za-z0-9_-]{20,}/g;

export function redactToken(text: string): string {
  return text.replace(TOKEN, '$1:[redacted]');
}

function reasonOf(status: number): FailureReason {
  if (status === 429) return 'rate-limited';
  if (status === 401 || status === 404) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 409) return 'conflict';
  return status >= 500 ? 'server-error' : 'bad-request';
}

/** Failures at which not one byte of the request can have arrived. */
const NEVER_WRITTEN = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'CERT_HAS_EXPIRED',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Tells what an error of the client means; the error itself, whose members may hold URL and payload, ends here. */
export function toTelegramFailure(method: string, error: unknown): TelegramFailure {
  if (error instanceof TelegramFailure) return error;
  if (error instanceof TelegramError) {
    const { error_code: status, description, parameters } = error.response;
    return new TelegramFailure(
      method,
      reasonOf(status),
      redactToken(description),
      status,
      parameters?.retry_after === undefined ? null : parameters.retry_after * 1000,
      parameters?.migrate_to_chat_id === undefined ? null : String(parameters.migrate_to_chat_id),
      false,
    );
  }
  const { name } = error as { name?: string };
  if (name === 'AbortError' || name === 'TimeoutError') {
    return timeoutFailure(method);
  }
  if (error instanceof UnreadableAnswer) {
    return new TelegramFailure(method, 'bad-answer', redactToken(error.message), null, null, null, true);
  }
  // Node's own client says only that it failed, and why in the cause.
  const { code, message } = ((error as Error).cause ?? error) as { code?: string; message?: string };
  const description = redactToken(message || code || String(error));
  return new TelegramFailure(
    method,
    'network',
    description,
    null,
    null,
    null,
    !NEVER_WRITTEN.has(code ?? ''),
  );
}
