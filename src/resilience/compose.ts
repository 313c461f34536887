import { callWithin, type Operation } from './call-timeout';
import { CircuitOpenError, type CircuitBreakerService } from './circuit-breaker';
import { RetryPolicy, type Classify, type Retry, type RetrySettings } from './retry-policy';

export interface GuardOptions {
  readonly retry: RetrySettings;
  /** Decides which failures are retried; the breaker has its own rule. */
  readonly classify: Classify;
  readonly breaker: CircuitBreakerService;
  /** Timeout of each attempt, not of all together. */
  readonly timeoutMs: number;
  /** Uniform in [0, 1), for the jitter. */
  readonly random?: () => number;
}

export interface GuardedCall {
  /** Aborts the call, its attempt or its wait, at once. */
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** False: a single attempt, without retries. */
  readonly retry?: boolean | undefined;
  /** False: the breaker neither refuses nor counts the call. */
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

/** Composes layers into one, the outermost first. */
function wrap(...layers: readonly Layer[]): Layer {
  return <T>(operation: Operation<T>, signal: AbortSignal) =>
    layers.reduceRight<Operation<T>>((inner, layer) => (outer) => layer(inner, outer), operation)(signal);
}

const without: Layer = (operation, signal) => operation(signal);

/** Composes retry, breaker and timeout around calls to one peer. */
export function createGuard({ retry, classify, breaker, timeoutMs, random }: GuardOptions): Guard {
  const retries = new RetryPolicy(retry, classify, random);
  // Do not retry a refusal, or the failure that opened the circuit: after the wait the breaker would refuse.
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
