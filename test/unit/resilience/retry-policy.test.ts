import {
  MAX_IN_CALL_RETRY_AFTER_MS,
  RetryPolicy,
  type Classify,
  type Retry,
  type RetrySettings,
} from '../../../src/resilience/retry-policy';

const DEFAULTS: RetrySettings = { maxAttempts: 3, initialDelayMs: 1000, maxDelayMs: 16_000, jitter: false };

const transient: Classify = () => ({ kind: 'transient' });
const final: Classify = () => ({ kind: 'final' });
const retryAfter =
  (ms: number): Classify =>
  () => ({ kind: 'retry-after', ms });

/** An operation that fails `failures` times, each with its own error, and notes when it was called. */
function failing(failures: number) {
  const start = Date.now();
  const calledAtMs: number[] = [];
  const operation = () => {
    calledAtMs.push(Date.now() - start);
    const call = calledAtMs.length;
    return call <= failures ? Promise.reject(new Error(`failure ${call}`)) : Promise.resolve('done');
  };
  return { operation, calledAtMs };
}

/** Runs out every timer and gives back how the call ended. */
async function ended<T>(call: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [[result]] = await Promise.all([Promise.allSettled([call]), jest.runAllTimersAsync()]);
  return result;
}

async function retriesOf(settings: Partial<RetrySettings>, random?: () => number): Promise<Retry[]> {
  const retries: Retry[] = [];
  const policy = new RetryPolicy({ ...DEFAULTS, ...settings }, transient, random);
  await ended(policy.execute(failing(Infinity).operation, { onRetry: (retry) => retries.push(retry) }));
  return retries;
}

const waitsOf = async (...args: Parameters<typeof retriesOf>) =>
  (await retriesOf(...args)).map(({ waitMs }) => waitMs);

describe('RetryPolicy', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  it('makes at most one call and three retries, then throws the last error', async () => {
    const { operation, calledAtMs } = failing(Infinity);
    const result = await ended(new RetryPolicy(DEFAULTS, transient).execute(operation));
    expect(calledAtMs).toHaveLength(4);
    expect(result).toMatchObject({ status: 'rejected', reason: { message: 'failure 4' } });
  });

  it('waits 1 s, 2 s and 4 s between the calls, to the millisecond, without jitter', async () => {
    const { operation, calledAtMs } = failing(Infinity);
    await ended(new RetryPolicy(DEFAULTS, transient).execute(operation));
    expect(calledAtMs).toEqual([0, 1000, 3000, 7000]);
  });

  it('doubles the wait up to the maximum and stays there', async () => {
    expect(await waitsOf({ maxAttempts: 7 })).toEqual([1000, 2000, 4000, 8000, 16_000, 16_000, 16_000]);
  });

  it('keeps the maximum when the doubling leaves the range of a double', async () => {
    const waits = await waitsOf({ maxAttempts: 1100, initialDelayMs: 1, maxDelayMs: 2 });
    expect(waits.at(-1)).toBe(2);
  });

  it('answers with the first success and stops there', async () => {
    const { operation, calledAtMs } = failing(2);
    const result = await ended(new RetryPolicy(DEFAULTS, transient).execute(operation));
    expect(result).toMatchObject({ status: 'fulfilled', value: 'done' });
    expect(calledAtMs).toEqual([0, 1000, 3000]);
  });

  it('does not retry at all with 0 attempts', async () => {
    const { operation, calledAtMs } = failing(Infinity);
    await ended(new RetryPolicy({ ...DEFAULTS, maxAttempts: 0 }, transient).execute(operation));
    expect(calledAtMs).toEqual([0]);
  });

  it('never retries a final error', async () => {
    const { operation, calledAtMs } = failing(Infinity);
    const result = await ended(new RetryPolicy(DEFAULTS, final).execute(operation));
    expect(calledAtMs).toEqual([0]);
    expect(result).toMatchObject({ status: 'rejected', reason: { message: 'failure 1' } });
  });

  it('stops at the first final error after transient ones', async () => {
    const { operation, calledAtMs } = failing(Infinity);
    const classify: Classify = (error) => ({
      kind: (error as Error).message === 'failure 2' ? 'final' : 'transient',
    });
    await ended(new RetryPolicy(DEFAULTS, classify).execute(operation));
    expect(calledAtMs).toEqual([0, 1000]);
  });

  it('retries an operation that throws before it returns a promise', async () => {
    let calls = 0;
    const operation = () => {
      if (++calls === 1) throw new Error('at once');
      return Promise.resolve(calls);
    };
    const result = await ended(new RetryPolicy(DEFAULTS, transient).execute(operation));
    expect(result).toMatchObject({ value: 2 });
  });

  describe('retry-after', () => {
    it('waits exactly as told, neither the backoff nor jittered', async () => {
      const { operation, calledAtMs } = failing(1);
      const policy = new RetryPolicy({ ...DEFAULTS, jitter: true }, retryAfter(3000), () => 0);
      await ended(policy.execute(operation));
      expect(calledAtMs).toEqual([0, 3000]);
    });

    it('waits up to five seconds inside the call', async () => {
      const { operation, calledAtMs } = failing(1);
      await ended(new RetryPolicy(DEFAULTS, retryAfter(5000)).execute(operation));
      expect(MAX_IN_CALL_RETRY_AFTER_MS).toBe(5000);
      expect(calledAtMs).toEqual([0, 5000]);
    });

    it('hands a longer wait back to the caller at once, with the error that told it', async () => {
      const { operation, calledAtMs } = failing(Infinity);
      const result = await ended(new RetryPolicy(DEFAULTS, retryAfter(5001)).execute(operation));
      expect(calledAtMs).toEqual([0]);
      expect(result).toMatchObject({ status: 'rejected', reason: { message: 'failure 1' } });
    });

    it('is longer than the maximum delay when told so', async () => {
      const { operation, calledAtMs } = failing(1);
      await ended(new RetryPolicy({ ...DEFAULTS, maxDelayMs: 1000 }, retryAfter(4000)).execute(operation));
      expect(calledAtMs).toEqual([0, 4000]);
    });

    it('counts as an attempt: the backoff after it is the second', async () => {
      const { operation, calledAtMs } = failing(Infinity);
      const classify: Classify = (error) =>
        (error as Error).message === 'failure 1' ? { kind: 'retry-after', ms: 100 } : { kind: 'transient' };
      await ended(new RetryPolicy(DEFAULTS, classify).execute(operation));
      expect(calledAtMs).toEqual([0, 100, 2100, 6100]);
    });
  });

  describe('jitter', () => {
    it('moves a wait by at most 25 % to either side', async () => {
      expect(await waitsOf({ jitter: true }, () => 0)).toEqual([750, 1500, 3000]);
      expect(await waitsOf({ jitter: true }, () => 0.5)).toEqual([1000, 2000, 4000]);
      expect(await waitsOf({ jitter: true }, () => 1 - Number.EPSILON)).toEqual([1250, 2500, 5000]);
    });

    it('never waits longer than the maximum', async () => {
      const waits = await waitsOf({ jitter: true, maxAttempts: 6, maxDelayMs: 4000 }, () => 0.99);
      expect(Math.max(...waits)).toBe(4000);
      expect(waits.at(-1)).toBe(4000);
    });

    it('is uniform: every tenth of the range gets a tenth of 5000 waits', async () => {
      const policy = new RetryPolicy({ ...DEFAULTS, jitter: true }, transient);
      const waits: number[] = [];
      while (waits.length < 5000) waits.push(await firstWait(policy));
      for (let from = 750; from < 1250; from += 50) {
        const count = waits.filter((ms) => ms >= from && ms < from + 50).length;
        // 500 expected, standard deviation 21: seven of them do not happen by chance.
        expect(Math.abs(count - 500)).toBeLessThan(150);
      }
    });

    it('draws anew for every wait', async () => {
      const waits = await waitsOf({
        jitter: true,
        maxAttempts: 5,
        initialDelayMs: 1000,
        maxDelayMs: 1_000_000,
      });
      expect(new Set(waits.map((ms, i) => ms / 2 ** i)).size).toBe(5);
    });
  });

  describe('abort', () => {
    const abortable = (caller: AbortController, operation: () => Promise<string>, onRetry?: () => void) =>
      new RetryPolicy(DEFAULTS, transient).execute(operation, { signal: caller.signal, onRetry });

    it('ends a wait at once with the reason of the signal, calls no more and leaves no timer', async () => {
      const { operation, calledAtMs } = failing(Infinity);
      const caller = new AbortController();
      const call = Promise.allSettled([abortable(caller, operation)]);
      await jest.advanceTimersByTimeAsync(999);
      caller.abort(new Error('shutting down'));
      expect(await call).toMatchObject([{ status: 'rejected', reason: { message: 'shutting down' } }]);
      expect(jest.getTimerCount()).toBe(0);
      expect(calledAtMs).toEqual([0]);
    });

    it('does not begin a wait when an observer of the retry aborts', async () => {
      const caller = new AbortController();
      const call = abortable(caller, failing(Infinity).operation, () => caller.abort(new Error('enough')));
      await expect(call).rejects.toThrow('enough');
      expect(jest.getTimerCount()).toBe(0);
    });

    it('throws the error of an operation that fails after the abort, without a wait', async () => {
      const caller = new AbortController();
      const onRetry = jest.fn();
      caller.abort(new Error('too late to matter'));
      await expect(abortable(caller, failing(1).operation, onRetry)).rejects.toThrow('failure 1');
      expect(onRetry).not.toHaveBeenCalled();
    });

    it('takes its listener off the signal after every wait', async () => {
      const caller = new AbortController();
      const added = jest.spyOn(caller.signal, 'addEventListener');
      const removed = jest.spyOn(caller.signal, 'removeEventListener');
      await ended(abortable(caller, failing(3).operation));
      expect(added).toHaveBeenCalledTimes(3);
      expect(removed.mock.calls).toEqual(added.mock.calls);
    });
  });

  describe('observer', () => {
    it('hears the attempt, the wait and the error before each wait', async () => {
      expect(await retriesOf({ maxAttempts: 2 })).toEqual([
        { attempt: 1, waitMs: 1000, error: new Error('failure 1') },
        { attempt: 2, waitMs: 2000, error: new Error('failure 2') },
      ]);
    });

    it.each([new Error('broken log'), 'broken log' as unknown as Error])(
      'cannot break the call by throwing; what it threw becomes a process warning (%p)',
      async (thrown) => {
        const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation();
        const onRetry = () => {
          throw thrown;
        };
        const call = new RetryPolicy(DEFAULTS, transient).execute(failing(1).operation, { onRetry });
        expect(await ended(call)).toMatchObject({ value: 'done' });
        expect(emitWarning).toHaveBeenCalledWith(thrown);
        emitWarning.mockRestore();
      },
    );
  });
});

/** The wait of a policy's first retry; aborted before it begins, so that no time is spent. */
async function firstWait(policy: RetryPolicy): Promise<number> {
  const caller = new AbortController();
  let waitMs = NaN;
  const onRetry = (retry: Retry) => {
    waitMs = retry.waitMs;
    caller.abort();
  };
  await Promise.allSettled([
    policy.execute(() => Promise.reject(new Error('down')), { signal: caller.signal, onRetry }),
  ]);
  return waitMs;
}
