import { timeout, TimeoutStrategy } from 'cockatiel';

/** An operation that can be retried and that stops when its signal aborts. */
export type Operation<T> = (signal: AbortSignal) => Promise<T>;

/** The call timed out. The peer may or may not have done the work. */
export class CallTimeoutError extends Error {
  override readonly name = 'CallTimeoutError';

  constructor(readonly timeoutMs: number) {
    super(`The call did not end within ${timeoutMs} ms.`);
  }
}

/**
 * Gives the operation a signal that aborts after `timeoutMs` or with the caller's own signal. Either rejects the call
 * at once, even if the operation ignores its signal; its later result is dropped.
 *
 * @throws CallTimeoutError after `timeoutMs`; the reason of `callerSignal` when that aborts; else the operation's
 * error.
 */
export async function callWithin<T>(
  timeoutMs: number,
  operation: Operation<T>,
  callerSignal?: AbortSignal,
): Promise<T> {
  callerSignal?.throwIfAborted();
  let timedOut = false as boolean;
  // A value may still hold a stream that its signal would cut off, so a return does not abort.
  const policy = timeout(timeoutMs, { strategy: TimeoutStrategy.Aggressive, abortOnReturn: false });
  // Also fires for the caller's abort, which is checked separately below.
  policy.onTimeout(() => (timedOut = true));
  try {
    return await policy.execute((_context, signal) => operation(signal), callerSignal);
  } catch (error) {
    callerSignal?.throwIfAborted();
    throw timedOut ? new CallTimeoutError(timeoutMs) : error;
  }
}
