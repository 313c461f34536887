import { CircuitBreakerService } from '../../../src/resilience/circuit-breaker';
import { createGuard, type GuardedCall, type GuardOptions } from '../../../src/resilience/compose';
import type { Retry, Retryability } from '../../../src/resilience/retry-policy';
import { FakeClock } from '../../support/fake-clock';
import { PeerDown, PeerRefuses, SETTINGS } from './breaker-rig';

class SlowDown extends Error {
  constructor(readonly ms: number) {
    super('slow down');
  }
}

function classify(error: unknown): Retryability {
  if (error instanceof SlowDown) return { kind: 'retry-after', ms: error.ms };
  return { kind: error instanceof PeerDown ? 'transient' : 'final' };
}

function rig(options: Partial<GuardOptions> = {}) {
  const breaker = new CircuitBreakerService(
    SETTINGS,
    (error) => !(error instanceof PeerRefuses || error instanceof SlowDown),
    new FakeClock(),
  );
  const guard = createGuard({
    retry: { maxAttempts: 3, initialDelayMs: 1000, maxDelayMs: 16_000, jitter: false },
    breaker,
    timeoutMs: 10_000,
    classify,
    ...options,
  });
  const signals: AbortSignal[] = [];
  /** Makes one guarded call whose attempts do what `attempts` say, the last of them from then on. */
  const call = (attempts: readonly (() => Promise<string>)[], guardedCall?: GuardedCall) => {
    let made = 0;
    return ended(
      guard.execute((signal) => {
        signals.push(signal);
        const attempt = attempts[Math.min(made++, attempts.length - 1)];
        return attempt ? attempt() : Promise.resolve('answer');
      }, guardedCall),
    );
  };
  return { breaker, guard, call, signals };
}

const down = () => Promise.reject(new PeerDown('down'));
const refuses = () => Promise.reject(new PeerRefuses('bad request'));
const answers = () => Promise.resolve('answer');
const hangs = () => new Promise<never>(() => undefined);

async function ended<T>(call: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [[result]] = await Promise.all([Promise.allSettled([call]), jest.runAllTimersAsync()]);
  return result;
}

describe('createGuard', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  it('answers with what the operation gives', async () => {
    expect(await rig().call([answers])).toEqual({ status: 'fulfilled', value: 'answer' });
  });

  it('repeats a transient failure and counts every attempt in the breaker', async () => {
    const { call, breaker, signals } = rig();
    expect(await call([down, down, answers])).toMatchObject({ value: 'answer' });
    expect(signals).toHaveLength(3);
    expect(breaker.statistics()).toMatchObject({ totalFailures: 2, totalSuccesses: 1 });
  });

  it('gives the timeout to each attempt, not to all together', async () => {
    const { call, signals } = rig({ classify: () => ({ kind: 'transient' }) });
    const startMs = Date.now();
    expect(await call([hangs])).toMatchObject({ reason: { name: 'CallTimeoutError', timeoutMs: 10_000 } });
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true, true, true]);
    expect(new Set(signals).size).toBe(4);
    expect(Date.now() - startMs).toBe(4 * 10_000 + 7000);
  });

  it('counts a timeout in the breaker when the breaker is told so', async () => {
    const { call, breaker } = rig();
    await call([hangs]);
    expect(breaker.statistics().totalFailures).toBe(1);
  });

  it('refuses at once while the circuit is open, without an attempt, a retry or a wait', async () => {
    const { call, breaker, signals } = rig();
    breaker.forceOpen();
    const onRetry = jest.fn();
    expect(await call([answers], { onRetry })).toMatchObject({ reason: { name: 'CircuitOpenError' } });
    expect(signals).toHaveLength(0);
    expect(onRetry).not.toHaveBeenCalled();
  });

  it('does not retry a refusal, though the circuit has closed before the retry is considered', async () => {
    const { guard, breaker } = rig({ classify: () => ({ kind: 'transient' }) });
    breaker.forceOpen();
    const refused = guard.execute(answers);
    breaker.forceClose();
    expect(await ended(refused)).toMatchObject({ reason: { name: 'CircuitOpenError' } });
  });

  it('throws the failure that opened the circuit at once: a wait would only end in a refusal', async () => {
    const { call, breaker, signals } = rig();
    await call([down]);
    const startMs = Date.now();
    expect(await call([down])).toMatchObject({ reason: { message: 'down' } });
    expect(breaker.state).toBe('open');
    expect(signals).toHaveLength(5);
    expect(Date.now()).toBe(startMs);
  });

  it('neither retries nor counts a final answer as a failure', async () => {
    const { call, breaker, signals } = rig();
    expect(await call([refuses])).toMatchObject({ reason: { message: 'bad request' } });
    expect(signals).toHaveLength(1);
    expect(breaker.statistics()).toMatchObject({ totalFailures: 0, totalSuccesses: 1 });
  });

  it('waits a short retry-after inside the call and hands a long one back', async () => {
    const { call, signals } = rig();
    const startMs = Date.now();
    expect(await call([() => Promise.reject(new SlowDown(3000)), answers])).toMatchObject({
      value: 'answer',
    });
    expect(Date.now() - startMs).toBe(3000);
    const slow = await call([() => Promise.reject(new SlowDown(10_000_000))]);
    expect(slow).toMatchObject({ reason: { ms: 10_000_000 } });
    expect(signals).toHaveLength(3);
  });

  it('makes one attempt with retry: false', async () => {
    const { call, breaker, signals } = rig();
    await call([down], { retry: false });
    expect(signals).toHaveLength(1);
    expect(breaker.statistics().totalFailures).toBe(1);
  });

  it('neither asks nor tells the breaker with breaker: false, and retries all the same', async () => {
    const { call, breaker, signals } = rig();
    breaker.forceOpen();
    expect(await call([down, answers], { breaker: false })).toMatchObject({ value: 'answer' });
    expect(signals).toHaveLength(2);
    expect(breaker.statistics()).toMatchObject({ totalFailures: 0, totalSuccesses: 0 });
  });

  it('takes another timeout for one call', async () => {
    const { call } = rig();
    const startMs = Date.now();
    await call([hangs], { timeoutMs: 60_000 });
    expect(Date.now() - startMs).toBe(60_000);
  });

  it("ends a running attempt with the caller's signal and counts nothing against the peer", async () => {
    const { call, breaker, signals } = rig();
    const caller = new AbortController();
    const running = call([hangs], { signal: caller.signal });
    caller.abort(new Error('shutting down'));
    expect(await running).toMatchObject({ reason: { message: 'shutting down' } });
    expect(signals.map((signal) => signal.aborted)).toEqual([true]);
    expect(breaker.statistics()).toMatchObject({ totalFailures: 0, totalSuccesses: 0 });
  });

  it("ends a wait between attempts with the caller's signal", async () => {
    const { guard } = rig();
    const caller = new AbortController();
    const waiting = Promise.allSettled([
      guard.execute(down, {
        signal: caller.signal,
        onRetry: () => setTimeout(() => caller.abort(new Error('gone')), 10),
      }),
    ]);
    await jest.advanceTimersByTimeAsync(10);
    expect(await waiting).toMatchObject([{ reason: { message: 'gone' } }]);
  });

  it('tells the observer of the call about its retries', async () => {
    const retries: Retry[] = [];
    await rig().call([down, answers], { onRetry: (retry) => retries.push(retry) });
    expect(retries).toEqual([{ attempt: 1, waitMs: 1000, error: new PeerDown('down') }]);
  });

  it('draws the jitter from the given source, with and without the breaker', async () => {
    const { call } = rig({
      retry: { maxAttempts: 1, initialDelayMs: 1000, maxDelayMs: 16_000, jitter: true },
      random: () => 0,
    });
    const waits: number[] = [];
    const onRetry = ({ waitMs }: Retry) => waits.push(waitMs);
    await call([down, answers], { onRetry });
    await call([down, answers], { onRetry, breaker: false });
    expect(waits).toEqual([750, 750]);
  });
});
