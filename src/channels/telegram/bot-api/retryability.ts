import { CallTimeoutError } from '../../../resilience/call-timeout';
import type { Classify } from '../../../resilience/retry-policy';
import { TelegramFailure, type FailureReason } from './telegram-failure';

/** Not idempotent: a repetition shows a second message. After a lost answer only the outbox may retry these. */
const SHOWS_TWICE = new Set(['sendMessage', 'sendDocument', 'sendPhoto']);

/**
 * Selects the failed attempts to retry within the call (telegram.md 5): the configured statuses, 429 not before
 * `retry_after`, and failures before the request was written; other 4xx never.
 */
export function retryability(statuses: readonly number[]): Classify {
  return (error) => {
    // The budget or the network took too long; it is unknown whether the request was sent.
    if (error instanceof CallTimeoutError || !(error instanceof TelegramFailure)) return { kind: 'final' };
    if (error.status !== null) {
      if (!statuses.includes(error.status)) return { kind: 'final' };
      return error.retryAfterMs === null
        ? { kind: 'transient' }
        : { kind: 'retry-after', ms: error.retryAfterMs };
    }
    if (error.reason === 'rate-limited') return { kind: 'final' };
    return error.outcomeUnknown && SHOWS_TWICE.has(error.method) ? { kind: 'final' } : { kind: 'transient' };
  };
}

const UNWELL: ReadonlySet<string> = new Set([
  'server-error',
  'network',
  'timeout',
  'bad-answer',
] satisfies FailureReason[]);

/** True for failures that the breaker counts. 429 and other 4xx do not count: they are answers of a working peer. */
export function showsTelegramUnwell(error: unknown): boolean {
  if (error instanceof CallTimeoutError) return true;
  if (!(error instanceof TelegramFailure)) return false;
  return UNWELL.has(error.reason);
}
