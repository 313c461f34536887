import { CallTimeoutError } from '../resilience/call-timeout';
import type { Classify } from '../resilience/retry-policy';
import { TelegramFailure, type FailureReason } from './telegram-failure';

/** Done twice, these show twice: after an answer that was lost, only the outbox may decide to repeat them. */
const SHOWS_TWICE = new Set(['sendMessage', 'sendDocument']);

/**
 * Which failed attempts are repeated within the call (telegram.md 5): the configured statuses, 429 not before
 * `retry_after`, and failures before anything was written; other 4xx never.
 */
export function retryability(statuses: readonly number[]): Classify {
  return (error) => {
    // The budget or the network took too long; what was sent, if anything, is not known.
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

/** The breaker counts what shows Telegram unwell; 429 and other 4xx are answers of a peer that lives. */
export function showsTelegramUnwell(error: unknown): boolean {
  if (error instanceof CallTimeoutError) return true;
  if (!(error instanceof TelegramFailure)) return false;
  return UNWELL.has(error.reason);
}
