import { callWithin, CallTimeoutError } from '../../../src/resilience/call-timeout';

/** Ends only when its signal aborts, as a well-behaved network call does. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(new Error('connection closed'))),
  );

const deaf = () => new Promise<never>(() => undefined);

describe('callWithin', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  it('answers with what the operation gives, and leaves no timer behind', async () => {
    await expect(callWithin(1000, () => Promise.resolve('value'))).resolves.toBe('value');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('throws what the operation throws, and leaves no timer behind', async () => {
    await expect(callWithin(1000, () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('throws what the operation throws before it returns a promise', async () => {
    const operation = () => {
      throw new Error('at once');
    };
    await expect(callWithin(1000, operation)).rejects.toThrow('at once');
  });

  it('aborts the signal of the operation at the timeout and not before', async () => {
    let inner!: AbortSignal;
    const call = Promise.allSettled([callWithin(1000, (signal) => untilAborted((inner = signal)))]);
    await jest.advanceTimersByTimeAsync(999);
    expect(inner.aborted).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(inner.aborted).toBe(true);
    await call;
  });

  it('names the timeout, not the broken connection that the timeout caused', async () => {
    const call = Promise.allSettled([callWithin(1000, untilAborted)]);
    await jest.advanceTimersByTimeAsync(1000);
    const [result] = await call;
    expect(result).toMatchObject({
      status: 'rejected',
      reason: { name: 'CallTimeoutError', timeoutMs: 1000 },
    });
    expect(result).toHaveProperty('reason.message', 'The call did not end within 1000 ms.');
    expect(result).toHaveProperty('reason', expect.any(CallTimeoutError));
  });

  it('rejects at the timeout an operation that ignores its signal', async () => {
    const call = Promise.allSettled([callWithin(1000, deaf)]);
    await jest.advanceTimersByTimeAsync(1000);
    expect(await call).toMatchObject([{ reason: { name: 'CallTimeoutError' } }]);
  });

  it.each(['resolves', 'rejects'])(
    'drops the outcome of an operation that %s after its timeout',
    async (how) => {
      const unhandled = jest.fn();
      process.on('unhandledRejection', unhandled);
      let endLate!: () => void;
      const late = () =>
        new Promise<string>((resolve, reject) => {
          endLate = () => (how === 'resolves' ? resolve('late') : reject(new Error('late')));
        });
      const call = Promise.allSettled([callWithin(1000, late)]);
      await jest.advanceTimersByTimeAsync(1000);
      endLate();
      expect(await call).toMatchObject([{ reason: { name: 'CallTimeoutError' } }]);
      jest.useRealTimers();
      // Node reports unhandled rejections once the microtasks are done, before the next turn of the loop.
      await new Promise((resolve) => setImmediate(resolve));
      process.off('unhandledRejection', unhandled);
      expect(unhandled).not.toHaveBeenCalled();
      jest.useFakeTimers();
    },
  );

  it("aborts the operation with the caller's signal, at once, and throws the caller's reason", async () => {
    const caller = new AbortController();
    let inner!: AbortSignal;
    const call = callWithin(1000, (signal) => untilAborted((inner = signal)), caller.signal);
    caller.abort(new Error('shutting down'));
    await expect(call).rejects.toThrow('shutting down');
    expect(inner.aborted).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });

  it("rejects with the caller's reason though the operation ignores its signal", async () => {
    const caller = new AbortController();
    const call = callWithin(1000, deaf, caller.signal);
    caller.abort(new Error('shutting down'));
    await expect(call).rejects.toThrow('shutting down');
  });

  it('does not begin for a caller that has aborted already', async () => {
    const operation = jest.fn(untilAborted);
    const call = callWithin(1000, operation, AbortSignal.abort(new Error('gone')));
    await expect(call).rejects.toThrow('gone');
    expect(operation).not.toHaveBeenCalled();
  });

  it('does not abort the signal of a call that succeeded, whose body may still be read', async () => {
    let inner!: AbortSignal;
    await callWithin(1000, (signal) => Promise.resolve((inner = signal)));
    await jest.advanceTimersByTimeAsync(2000);
    expect(inner.aborted).toBe(false);
  });

  it("takes its listener off the caller's signal", async () => {
    const caller = new AbortController();
    const added = jest.spyOn(caller.signal, 'addEventListener');
    const removed = jest.spyOn(caller.signal, 'removeEventListener');
    await callWithin(1000, () => Promise.resolve(1), caller.signal);
    expect(added).toHaveBeenCalledTimes(1);
    expect(removed.mock.calls.map(([type, listener]) => [type, listener])).toEqual(added.mock.calls);
  });
});
