import { timeout, TimeoutStrategy } from 'cockatiel';

/** Something that can be called again and that stops working when its signal aborts. */
export type Operation<T> = (signal: AbortSignal) => Promise<T>;

/** The call did not end in time. Whether the other side did the work is unknown. */
export class CallTimeoutError extends Error {
  override readonly name = 'CallTimeoutError';

  constructor(readonly timeoutMs: number) {
    super(`The call did not end within ${timeoutMs} ms.`);
  }
}

/**
 * Gives the operation a signal that aborts after `timeoutMs` or with the caller's own signal. Either rejects
 * the call at once, even when the operation ignores its signal; what it does later is dropped.
 *
 * @throws CallTimeoutError after `timeoutMs`; the reason of `callerSignal` when that aborts; else what the
 *   operation throws.
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
  // It also fires for the caller's abort, which is told apart below.
  policy.onTimeout(() => (timedOut = true));
  try {
    return await policy.execute((_context, signal) => operation(signal), callerSignal);
  } catch (error) {
    callerSignal?.throwIfAborted();
    throw timedOut ? new CallTimeoutError(timeoutMs) : error;
  }
}
