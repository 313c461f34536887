import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../kernel/clock';
import { ServiceUnreachable } from './service-errors';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
/** Backoff varies by this share, so that a thousand agents do not retry at the same moment. */
const JITTER = 0.25;

export interface Persistence {
  readonly clock: Clock;
  /** End of the retries, on the clock's monotonic scale. */
  readonly untilMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Retries a call with backoff while the service is unreachable.
 *
 * @throws ServiceUnreachable, the last one, if the next retry would be after the end; any other error at once.
 */
export async function persistently<T>(
  call: () => Promise<T>,
  { clock, untilMs, signal }: Persistence,
): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ServiceUnreachable)) throw error;
      const restMs = error.retryAfterMs ?? pauseMs * (1 - JITTER + 2 * JITTER * Math.random());
      if (clock.monotonicMs() + restMs > untilMs) throw error;
      await sleep(restMs, undefined, signal ? { signal } : {});
    }
  }
}
