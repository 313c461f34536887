import { TelegramError } from 'telegraf';
import { UnreadableAnswer } from './bot-api-answers';

/** Reasons of failed attempts. */
export const FAILURE_REASONS = [
  'rate-limited',
  'unauthorized',
  'forbidden',
  'conflict',
  'bad-request',
  'server-error',
  'network',
  'timeout',
  'bad-answer',
] as const;

export type FailureReason = (typeof FAILURE_REASONS)[number];

/** A Bot API call that failed, or was not attempted. It contains neither the token nor the payload. */
export class TelegramFailure extends Error {
  override readonly name = 'TelegramFailure';

  constructor(
    readonly method: string,
    readonly reason: FailureReason | 'circuit-open',
    description: string,
    /** The Bot API's error code, or null without a valid answer. */
    readonly status: number | null,
    readonly retryAfterMs: number | null,
    readonly migratedToChatId: string | null,
    /** True if Telegram may have executed the request although no answer came. */
    readonly outcomeUnknown: boolean,
  ) {
    super(`${method}: ${description}`);
  }

  /** True if the message already had the content of the edit. */
  get isNotModified(): boolean {
    return this.status === 400 && this.message.includes('message is not modified');
  }
}

/** No answer within the time of a call. */
export function timeoutFailure(method: string): TelegramFailure {
  return new TelegramFailure(method, 'timeout', 'no answer in time', null, null, null, true);
}

/** The send budget is used up: treated like a 429 of Telegram. */
export function noRoomFailure(method: string): TelegramFailure {
  return new TelegramFailure(method, 'rate-limited', 'no room in the send budget', null, null, null, false);
}

/** The circuit is open: no attempt was made. */
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

/** The call was aborted before its first attempt. */
export function stoppedFailure(method: string): TelegramFailure {
  return new TelegramFailure(method, 'network', 'not tried, the caller stops', null, null, null, false);
}

/** The token as it appears in URLs: the number is not secret, the rest is. */
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

/** Failures after which no byte of the request can have arrived. */
const NEVER_WRITTEN = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'CERT_HAS_EXPIRED',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Converts an error of the client and drops the original, which may contain the URL and the payload. */
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
  // The error of Node's own client has the reason only in its cause.
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
