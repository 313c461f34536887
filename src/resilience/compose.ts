import { callWithin, type Operation } from './call-timeout';
import { CircuitOpenError, type CircuitBreakerService } from './circuit-breaker';
import { RetryPolicy, type Classify, type Retry, type RetrySettings } from './retry-policy';

export interface GuardOptions {
  readonly retry: RetrySettings;
  /** Which failures the retry repeats; the breaker has its own rule of what counts. */
  readonly classify: Classify;
  readonly breaker: CircuitBreakerService;
  /** Of each attempt, not of all together. */
  readonly timeoutMs: number;
  /** Uniform in [0, 1), for the jitter. */
  readonly random?: () => number;
}

export interface GuardedCall {
  /** Ends the call, its attempt or its wait, at once. */
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** False: one attempt. */
  readonly retry?: boolean | undefined;
  /** False: neither refused nor counted. */
  readonly breaker?: boolean | undefined;
  readonly onRetry?: ((retry: Retry) => void) | undefined;
}

export interface Guard {
  /**
   * @throws CircuitOpenError when the breaker refuses; CallTimeoutError; the reason of the caller's signal; else
   *   the operation's own error, the last one after retries.
   */
  execute<T>(operation: Operation<T>, call?: GuardedCall): Promise<T>;
}

type Layer = <T>(operation: Operation<T>, signal: AbortSignal) => Promise<T>;

/** One layer out of several, the outermost first. */
function wrap(...layers: readonly Layer[]): Layer {
  return <T>(operation: Operation<T>, signal: AbortSignal) =>
    layers.reduceRight<Operation<T>>((inner, layer) => (outer) => layer(inner, outer), operation)(signal);
}

const without: Layer = (operation, signal) => operation(signal);

/** Composes retry, breaker and timeout around calls to one peer. */
export function createGuard({ retry, classify, breaker, timeoutMs, random }: GuardOptions): Guard {
  const retries = new RetryPolicy(retry, classify, random);
  // A refusal is final for this call, and so is the failure that opened the circuit: a wait would end in a refusal.
  const retriesWhileClosed = new RetryPolicy(
    retry,
    (error) =>
      error instanceof CircuitOpenError || breaker.state !== 'closed' ? { kind: 'final' } : classify(error),
    random,
  );

  return {
    execute(operation, call = {}) {
      const policy = call.breaker === false ? retries : retriesWhileClosed;
      const retryTransient: Layer = (inner, signal) =>
        policy.execute(() => inner(signal), { signal, onRetry: call.onRetry });
      const throughBreaker: Layer = (inner, signal) => breaker.execute(() => inner(signal), { signal });
      const timeoutPerCall: Layer = (inner, signal) => callWithin(call.timeoutMs ?? timeoutMs, inner, signal);

      return wrap(
        call.retry === false ? without : retryTransient,
        call.breaker === false ? without : throughBreaker,
        timeoutPerCall,
      )(operation, call.signal ?? new AbortController().signal);
    },
  };
}
