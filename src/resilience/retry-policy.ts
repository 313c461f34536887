import { notify } from './notify';

/** Maximum wait from Telegram's `retry_after` that is spent inside the call; source: telegram.md, rule 5. */
export const MAX_IN_CALL_RETRY_AFTER_MS = 5_000;

/** Jitter moves a wait by at most this fraction in either direction; source: interface.md, `TELEGRAM_RETRY_JITTER`. */
const JITTER = 0.25;

export interface RetrySettings {
  /** Maximum number of retries after the first call: 3 means at most 4 calls; 0 means none. */
  readonly maxAttempts: number;
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  readonly jitter: boolean;
}

/** Consequence of a failure for the retry: retry, retry after the given wait, or do not retry. */
export type Retryability =
  | { readonly kind: 'transient' }
  | { readonly kind: 'retry-after'; readonly ms: number }
  | { readonly kind: 'final' };

export type Classify = (error: unknown) => Retryability;

export interface Retry {
  /** 1 for the first retry. */
  readonly attempt: number;
  readonly waitMs: number;
  /** The error of the call before it. */
  readonly error: unknown;
}

export interface RetryCall {
  /** Ends a wait at once; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called before each wait. */
  readonly onRetry?: ((retry: Retry) => void) | undefined;
}

/**
 * Retries after a transient failure, with exponential backoff.
 *
 * The loop is ours: cockatiel's retry sleeps on a timer that an abort cannot end, and afterwards calls the operation
 * once more.
 */
export class RetryPolicy {
  /** @param random uniform in [0, 1); only the jitter uses it. */
  constructor(
    private readonly settings: RetrySettings,
    private readonly classify: Classify,
    private readonly random: () => number = Math.random,
  ) {}

  /**
   * @throws the operation's last error once it is final, the retries are used up or the given wait is too long for a
   * call; the signal's reason when aborted during a wait.
   */
  async execute<T>(operation: () => Promise<T>, { signal, onRetry }: RetryCall = {}): Promise<T> {
    for (let attempt = 1; attempt <= this.settings.maxAttempts; attempt++) {
      try {
        return await operation();
      } catch (error) {
        const waitMs = this.waitMs(error, attempt);
        if (waitMs === null || signal?.aborted) throw error;
        if (onRetry) notify(onRetry, { attempt, waitMs, error });
        await pause(waitMs, signal);
      }
    }
    return operation();
  }

  /** Null: do not retry inside this call. */
  private waitMs(error: unknown, attempt: number): number | null {
    const retryability = this.classify(error);
    switch (retryability.kind) {
      case 'transient':
        return this.backoffMs(attempt);
      case 'retry-after':
        return retryability.ms <= MAX_IN_CALL_RETRY_AFTER_MS ? retryability.ms : null;
      case 'final':
        return null;
    }
  }

  private backoffMs(attempt: number): number {
    const { initialDelayMs, maxDelayMs, jitter } = this.settings;
    const waitMs = Math.min(maxDelayMs, initialDelayMs * 2 ** (attempt - 1));
    if (!jitter) return waitMs;
    return Math.min(maxDelayMs, Math.round(waitMs * (1 - JITTER + 2 * JITTER * this.random())));
  }
}

/** Does not use `node:timers/promises`, which fake timers do not replace. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
  signal?.throwIfAborted();
}
