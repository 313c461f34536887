import { CircuitBreakerService, CircuitOpenError } from '../../../src/resilience/circuit-breaker';
import { BreakerRig, PeerDown, PeerRefuses, SETTINGS, settled } from './breaker-rig';

const REFUSED = { status: 'rejected', reason: { name: 'CircuitOpenError' } };
const ANSWERED = { status: 'fulfilled', value: 'answer' };

describe('CircuitBreakerService', () => {
  let rig: BreakerRig;
  beforeEach(() => {
    rig = new BreakerRig();
  });

  describe('closed', () => {
    it('passes values through', async () => {
      expect(await rig.succeed()).toEqual(ANSWERED);
      expect(rig.breaker.state).toBe('closed');
    });

    it('passes the very error through, counted or not', async () => {
      const down = new PeerDown('down');
      const refuses = new PeerRefuses('bad request');
      await expect(rig.breaker.execute(() => Promise.reject(down))).rejects.toBe(down);
      await expect(rig.breaker.execute(() => Promise.reject(refuses))).rejects.toBe(refuses);
    });

    it('counts an operation that throws before it returns a promise', async () => {
      const operation = () => {
        throw new PeerDown('at once');
      };
      await expect(rig.breaker.execute(operation)).rejects.toThrow('at once');
      expect(rig.breaker.statistics()).toMatchObject({ totalFailures: 1, consecutiveFailures: 1 });
    });

    it('stays closed at four failures in a row', async () => {
      await rig.run('ffff');
      expect(rig.breaker.state).toBe('closed');
    });

    it('opens with the fifth failure in a row, before its caller hears of it', async () => {
      await rig.run('ffff');
      const fifth = rig.breaker.execute(() => Promise.reject(new PeerDown('down')));
      await fifth.catch(() => expect(rig.breaker.state).toBe('open'));
      expect(rig.path).toBe('closed > open');
      expect.assertions(2);
    });

    it('begins the row anew after a success', async () => {
      await rig.run('ffffsffff');
      expect(rig.breaker.state).toBe('closed');
      expect(rig.breaker.statistics().consecutiveFailures).toBe(4);
    });

    it('takes a refusal by the peer for a success: whoever refuses is alive', async () => {
      await rig.run('ffffrffff');
      expect(rig.breaker.state).toBe('closed');
      expect(rig.breaker.statistics()).toMatchObject({ totalFailures: 8, totalSuccesses: 1 });
    });

    it('opens at exactly half of ten calls', async () => {
      await rig.run('fsfsfsfss');
      expect(rig.breaker.state).toBe('closed');
      await rig.run('f');
      expect(rig.breaker.state).toBe('open');
      expect(rig.breaker.statistics().failureRate).toBe(0.5);
    });

    it('opens with the tenth call when that one succeeds and half of the ten failed', async () => {
      await rig.run('fsfsfsfsf');
      expect(rig.breaker.state).toBe('closed');
      expect(await rig.succeed()).toEqual(ANSWERED);
      expect(rig.breaker.state).toBe('open');
    });

    it('stays closed below half, however many calls fail', async () => {
      await rig.run('sffsf'.replaceAll('f', 'fs').repeat(20));
      expect(rig.breaker.statistics().failureRate).toBeCloseTo(0.375);
      expect(rig.breaker.state).toBe('closed');
    });

    it('stays closed above half with nine calls', async () => {
      await rig.run('fffsfffss');
      expect(rig.breaker.statistics().failureRate).toBeCloseTo(6 / 9);
      expect(rig.breaker.state).toBe('closed');
    });

    it('forgets calls that are older than 30 s for the rate', async () => {
      await rig.run('fffsf');
      rig.clock.advance(30_000);
      await rig.run('sssfsff');
      expect(rig.breaker.statistics().failureRate).toBeCloseTo(3 / 7);
      expect(rig.breaker.state).toBe('closed');
    });

    it('counts calls of the last 29.9 s for the rate', async () => {
      await rig.run('fffsf');
      rig.clock.advance(29_900);
      await rig.run('sfsfs');
      expect(rig.breaker.state).toBe('open');
    });

    it('does not forget a row of failures with time', async () => {
      await rig.run('ffff');
      rig.clock.advance(3_600_000);
      await rig.run('f');
      expect(rig.breaker.state).toBe('open');
    });

    it('counts nothing for a call that its own caller gave up', async () => {
      await rig.run('fff');
      const caller = new AbortController();
      const call = rig.begin({ signal: caller.signal });
      caller.abort();
      await call.end('fail');
      expect(rig.breaker.statistics()).toMatchObject({
        totalFailures: 3,
        totalSuccesses: 0,
        consecutiveFailures: 3,
        failureRate: 1,
      });
    });

    it('counts a failure whose caller has a signal that did not abort', async () => {
      await rig.begin({ signal: new AbortController().signal }).end('fail');
      expect(rig.breaker.statistics().totalFailures).toBe(1);
    });

    it('obeys other thresholds', async () => {
      const strict = new BreakerRig({ consecutiveFailures: 2 });
      await strict.run('ff');
      expect(strict.breaker.state).toBe('open');
      const lax = new BreakerRig({ consecutiveFailures: 100, failureRate: 1, minimumThroughput: 3 });
      await lax.run('sfff');
      expect(lax.breaker.state).toBe('closed');
    });

    it('measures a rate such as 7 of 100 without a rounding error', async () => {
      const exact = new BreakerRig({ failureRate: 0.07, minimumThroughput: 100 });
      await exact.run('f'.padEnd(14, 's').repeat(7) + 's');
      expect(exact.breaker.state).toBe('closed');
      await exact.run('s');
      expect(exact.breaker.state).toBe('open');
    });
  });

  describe('open', () => {
    beforeEach(() => rig.run('fffff'));

    it('refuses without calling the operation', async () => {
      const operation = jest.fn(() => Promise.resolve('answer'));
      await expect(rig.breaker.execute(operation)).rejects.toBeInstanceOf(CircuitOpenError);
      expect(operation).not.toHaveBeenCalled();
    });

    it('names the time of the next attempt in the refusal', async () => {
      const nextAttemptAt = new Date(rig.clock.now().getTime() + 30_000);
      rig.clock.advance(10_000);
      expect(await rig.succeed()).toMatchObject({
        reason: { message: 'The circuit is open.', nextAttemptAt },
      });
    });

    it('counts refusals neither as failures nor as successes', async () => {
      await rig.run('sfs');
      expect(rig.breaker.statistics()).toMatchObject({ totalFailures: 5, totalSuccesses: 0 });
    });

    it('stays open until the whole break has passed', async () => {
      rig.clock.advance(29_999);
      expect(await rig.succeed()).toMatchObject(REFUSED);
      rig.clock.advance(1);
      expect(await rig.succeed()).toEqual(ANSWERED);
    });

    it.each([-3_600_000, 3_600_000])('does not heed a step of the wall clock by %d ms', async (stepMs) => {
      rig.clock.stepWallClock(stepMs);
      jest.useFakeTimers({ now: Date.now() + stepMs });
      try {
        rig.clock.advance(29_999);
        expect(await rig.succeed()).toMatchObject(REFUSED);
        rig.clock.advance(1);
        expect(await rig.succeed()).toEqual(ANSWERED);
      } finally {
        jest.useRealTimers();
      }
    });

    it('tells the next attempt by the wall clock as it stands, also after a step', () => {
      rig.clock.advance(20_000);
      rig.clock.stepWallClock(-3_600_000);
      const { nextAttemptAt } = rig.breaker.statistics();
      expect(Number(nextAttemptAt) - Number(rig.clock.now())).toBe(10_000);
    });

    it('is not opened again by calls that began before and fail late', async () => {
      const late = new BreakerRig();
      const calls = Array.from({ length: 8 }, () => late.begin());
      for (const call of calls.slice(0, 5)) await call.end('fail');
      const { nextAttemptAt } = late.breaker.statistics();
      late.clock.advance(5000);
      for (const call of calls.slice(5)) await call.end('fail');
      expect(late.breaker.statistics()).toMatchObject({
        nextAttemptAt,
        totalFailures: 8,
        consecutiveFailures: 5,
      });
      expect(late.path).toBe('closed > open');
    });

    it('opens once when several calls fail at the same moment', async () => {
      const together = new BreakerRig();
      await Promise.all(Array.from({ length: 20 }, () => together.fail()));
      expect(together.path).toBe('closed > open');
    });
  });

  describe('half-open', () => {
    beforeEach(() => rig.toTrial());

    it('begins with the first call after the break, not before', async () => {
      expect(rig.breaker.state).toBe('open');
      const trial = rig.begin();
      expect(trial.started).toBe(true);
      expect(rig.breaker.state).toBe('half-open');
      await trial.end('succeed');
    });

    it('lets one trial through and refuses all others at once while it runs', async () => {
      const trial = rig.begin();
      const others = Array.from({ length: 49 }, () => rig.begin());
      for (const other of others) expect(await other.outcome).toMatchObject(REFUSED);
      expect(others.some((other) => other.started)).toBe(false);
      await trial.end('succeed');
      expect(await trial.outcome).toEqual(ANSWERED);
    });

    it('refuses a call that the trial itself makes before its first wait', async () => {
      const nested = rig.breaker.execute(() => rig.breaker.execute(() => Promise.resolve('inner')));
      await expect(nested).rejects.toBeInstanceOf(CircuitOpenError);
    });

    it('cannot say when the next attempt is', async () => {
      const trial = rig.begin();
      expect(await rig.succeed()).toMatchObject({ reason: { nextAttemptAt: null } });
      expect(rig.breaker.statistics().nextAttemptAt).toBeNull();
      await trial.end('succeed');
    });

    it('closes when the trial succeeds, before its caller hears of it', async () => {
      await rig.breaker.execute(() => Promise.resolve()).then(() => expect(rig.breaker.state).toBe('closed'));
      expect(rig.path).toBe('closed > open, open > half-open, half-open > closed');
      expect.assertions(2);
    });

    it('closes when the peer refuses the trial: it is alive', async () => {
      expect(await rig.refuse()).toMatchObject({ reason: { message: 'bad request' } });
      expect(rig.breaker.state).toBe('closed');
    });

    it('clears the counters when it closes, so that old failures do not open it again', async () => {
      await rig.succeed();
      expect(rig.breaker.statistics()).toMatchObject({ consecutiveFailures: 0, failureRate: 0 });
      await rig.run('ffff');
      expect(rig.breaker.state).toBe('closed');
    });

    it('clears a window that is younger than the sampling time when it closes', async () => {
      const quick = new BreakerRig({ breakSeconds: 1 });
      await quick.run('fffff');
      quick.clock.advance(1000);
      await quick.run('s');
      await quick.run('sssfsssfs');
      expect(quick.breaker.statistics().failureRate).toBeCloseTo(2 / 9);
    });

    it('opens for another whole break when the trial fails, before its caller hears of it', async () => {
      const trial = rig.breaker.execute(() => Promise.reject(new PeerDown('down')));
      await trial.catch(() => expect(rig.breaker.state).toBe('open'));
      rig.clock.advance(29_999);
      expect(await rig.succeed()).toMatchObject(REFUSED);
      rig.clock.advance(1);
      expect(await rig.succeed()).toEqual(ANSWERED);
      expect.assertions(3);
    });

    it('tells the opening of the failed trial as the time it opened', async () => {
      await rig.fail();
      expect(rig.breaker.statistics()).toMatchObject({ openedAt: rig.clock.now(), consecutiveFailures: 6 });
    });

    it('is open again at once for another trial when the trial is given up by its caller', async () => {
      const { openedAt } = rig.breaker.statistics();
      const caller = new AbortController();
      const trial = rig.begin({ signal: caller.signal });
      caller.abort();
      await trial.end('fail');
      expect(rig.breaker.statistics()).toMatchObject({ state: 'open', openedAt, totalFailures: 5 });
      expect(await rig.succeed()).toEqual(ANSWERED);
      expect(rig.breaker.state).toBe('closed');
    });

    it('refuses others while the trial runs no longer than a break', async () => {
      const trial = rig.begin();
      rig.clock.advance(29_999);
      expect(await rig.succeed()).toMatchObject(REFUSED);
      await trial.end('succeed');
      expect(rig.breaker.state).toBe('closed');
    });

    it('is not held for ever by a trial that never ends: after a break the next call is the trial', async () => {
      rig.begin();
      rig.clock.advance(30_000);
      expect(await rig.succeed()).toEqual(ANSWERED);
      expect(rig.breaker.state).toBe('closed');
    });

    it('lets one of many calls replace an overdue trial', async () => {
      rig.begin();
      rig.clock.advance(30_000);
      const next = rig.begin();
      const others = Array.from({ length: 9 }, () => rig.begin());
      for (const other of others) expect(await other.outcome).toMatchObject(REFUSED);
      await next.end('succeed');
      expect(await next.outcome).toEqual(ANSWERED);
      expect(others.some((other) => other.started)).toBe(false);
    });

    it('stays half-open, without a word, while one trial takes over from another', async () => {
      rig.begin();
      rig.clock.advance(30_000);
      const next = rig.begin();
      expect(next.started).toBe(true);
      expect(rig.path).toBe('closed > open, open > half-open');
      await next.end('succeed');
    });

    it('gives the trial that took over as much time as the first', async () => {
      rig.begin();
      rig.clock.advance(30_000);
      const next = rig.begin();
      rig.clock.advance(29_999);
      expect(await rig.succeed()).toMatchObject(REFUSED);
      await next.end('fail');
      expect(rig.breaker.state).toBe('open');
    });

    it('does not let an overdue trial decide for the one that replaced it', async () => {
      const overdue = rig.begin();
      rig.clock.advance(30_000);
      const trial = rig.begin();
      await overdue.end('fail');
      expect(rig.breaker.state).toBe('half-open');
      await trial.end('succeed');
      expect(rig.breaker.state).toBe('closed');
    });

    it('does not let a call that began while closed decide for the trial', async () => {
      const other = new BreakerRig();
      const early = other.begin();
      await other.toTrial();
      const trial = other.begin();
      await early.end('succeed');
      expect(other.breaker.state).toBe('half-open');
      await trial.end('fail');
      expect(other.breaker.state).toBe('open');
    });
  });

  describe('by hand', () => {
    it('stays open, whatever time passes, after forceOpen', async () => {
      rig.breaker.forceOpen();
      rig.clock.advance(3_600_000);
      expect(await rig.succeed()).toMatchObject({ ...REFUSED, reason: { nextAttemptAt: null } });
      expect(rig.breaker.statistics()).toMatchObject({ state: 'open', nextAttemptAt: null });
      expect(rig.path).toBe('closed > open by hand');
    });

    it('tells when it was forced open', () => {
      rig.clock.advance(5);
      const openedAt = rig.clock.now();
      rig.breaker.forceOpen();
      rig.clock.advance(5);
      expect(rig.breaker.statistics().openedAt).toEqual(openedAt);
    });

    it('holds an open circuit open beyond its break, and keeps the time it opened', async () => {
      await rig.run('fffff');
      const { openedAt } = rig.breaker.statistics();
      rig.clock.advance(1000);
      rig.breaker.forceOpen();
      rig.clock.advance(30_000);
      expect(await rig.succeed()).toMatchObject(REFUSED);
      expect(rig.breaker.statistics()).toMatchObject({ openedAt, nextAttemptAt: null });
    });

    it('lets the calls that run on finish, and is not closed by them', async () => {
      const running = rig.begin();
      rig.breaker.forceOpen();
      await running.end('succeed');
      expect(await running.outcome).toEqual(ANSWERED);
      expect(rig.breaker.state).toBe('open');
    });

    it.each(['succeed', 'fail', 'refuse'] as const)(
      'is not moved by a trial that was running at forceOpen (%s)',
      async (how) => {
        await rig.toTrial();
        const trial = rig.begin();
        rig.breaker.forceOpen();
        await trial.end(how);
        expect(rig.breaker.statistics().consecutiveFailures).toBe(5);
        rig.clock.advance(60_000);
        expect(await rig.succeed()).toMatchObject(REFUSED);
      },
    );

    it('closes with one forceClose after several forceOpen', async () => {
      rig.breaker.forceOpen();
      rig.breaker.forceOpen();
      rig.breaker.forceClose();
      expect(await rig.succeed()).toEqual(ANSWERED);
      expect(rig.path).toBe('closed > open by hand, open > closed by hand');
    });

    it('can be forced open again after forceClose', async () => {
      rig.breaker.forceOpen();
      rig.breaker.forceClose();
      rig.breaker.forceOpen();
      expect(await rig.succeed()).toMatchObject(REFUSED);
    });

    it('forceClose ends a break early and forgets what was counted, but not the totals', async () => {
      await rig.run('fffff');
      rig.breaker.forceClose();
      expect(rig.breaker.statistics()).toEqual({
        state: 'closed',
        consecutiveFailures: 0,
        totalFailures: 5,
        totalSuccesses: 0,
        failureRate: 0,
        openedAt: null,
        nextAttemptAt: null,
      });
      await rig.run('ffff');
      expect(rig.breaker.state).toBe('closed');
      expect(rig.path).toBe('closed > open, open > closed by hand');
    });

    it('opens by failures after a forceClose as before', async () => {
      await rig.run('fffff');
      rig.breaker.forceClose();
      await rig.run('fffff');
      expect(rig.path).toBe('closed > open, open > closed by hand, closed > open');
    });

    it.each(['succeed', 'fail', 'refuse'] as const)(
      'is not moved by a trial that was running at forceClose (%s)',
      async (how) => {
        await rig.toTrial();
        const trial = rig.begin();
        rig.breaker.forceClose();
        expect(rig.breaker.state).toBe('closed');
        await trial.end(how);
        expect(rig.breaker.statistics()).toMatchObject({
          state: 'closed',
          consecutiveFailures: 0,
          failureRate: 0,
        });
        expect(rig.path).toBe('closed > open, open > half-open, half-open > closed by hand');
      },
    );

    it('forceClose while closed forgets what was counted, also of calls that still run', async () => {
      await rig.run('ffff');
      const running = rig.begin();
      rig.breaker.forceClose();
      await running.end('fail');
      await rig.run('ffff');
      expect(rig.breaker.state).toBe('closed');
      expect(rig.path).toBe('');
    });

    it('reset closes and zeroes the totals', async () => {
      await rig.run('sfffff');
      rig.breaker.reset();
      expect(rig.breaker.statistics()).toMatchObject({
        state: 'closed',
        totalFailures: 0,
        totalSuccesses: 0,
      });
      expect(await rig.succeed()).toEqual(ANSWERED);
    });

    it('reset closes a circuit that was forced open', async () => {
      rig.breaker.forceOpen();
      rig.breaker.reset();
      expect(await rig.succeed()).toEqual(ANSWERED);
    });
  });

  describe('fallback', () => {
    const withFallback = (operation: () => Promise<string>, fallback: () => string | Promise<string>) =>
      settled(rig.breaker.execute(operation, { fallback }));

    it('answers in place of a refusal', async () => {
      await rig.run('fffff');
      const result = await withFallback(
        () => Promise.resolve('answer'),
        () => 'stale',
      );
      expect(result).toEqual({ status: 'fulfilled', value: 'stale' });
    });

    it('may be asynchronous', async () => {
      await rig.run('fffff');
      const result = await withFallback(
        () => Promise.resolve('answer'),
        () => Promise.resolve('stale'),
      );
      expect(result).toEqual({ status: 'fulfilled', value: 'stale' });
    });

    it('answers in place of a failure, which counts all the same', async () => {
      const result = await withFallback(
        () => Promise.reject(new PeerDown('down')),
        () => 'stale',
      );
      expect(result).toEqual({ status: 'fulfilled', value: 'stale' });
      expect(rig.breaker.statistics().totalFailures).toBe(1);
    });

    it('does not hide what the peer answered', async () => {
      const refused = await withFallback(
        () => Promise.reject(new PeerRefuses('bad request')),
        () => 'stale',
      );
      expect(refused).toMatchObject({ status: 'rejected', reason: { message: 'bad request' } });
      const answered = await withFallback(
        () => Promise.resolve('answer'),
        () => 'stale',
      );
      expect(answered).toEqual(ANSWERED);
    });
  });

  describe('statistics', () => {
    it('are all zero at the start', () => {
      expect(rig.breaker.statistics()).toEqual({
        state: 'closed',
        consecutiveFailures: 0,
        totalFailures: 0,
        totalSuccesses: 0,
        failureRate: 0,
        openedAt: null,
        nextAttemptAt: null,
      });
    });

    it('tell when it opened and when it tries again', async () => {
      await rig.run('sfffff');
      const openedAt = rig.clock.now();
      rig.clock.advance(1234);
      expect(rig.breaker.statistics()).toEqual({
        state: 'open',
        consecutiveFailures: 5,
        totalFailures: 5,
        totalSuccesses: 1,
        failureRate: 5 / 6,
        openedAt,
        nextAttemptAt: new Date(openedAt.getTime() + 30_000),
      });
    });

    it('let the failure rate fade as the window moves on without calls', async () => {
      await rig.run('fs');
      expect(rig.breaker.statistics().failureRate).toBe(0.5);
      rig.clock.advance(30_000);
      expect(rig.breaker.statistics().failureRate).toBe(0);
    });

    it('never tell a next attempt that would be refused, though the monotonic clock has fractions', async () => {
      rig.clock.advance(0.4);
      await rig.run('fffff');
      rig.clock.advance(0.3);
      rig.clock.advance(Number(rig.breaker.statistics().nextAttemptAt) - Number(rig.clock.now()));
      expect(await rig.succeed()).toEqual(ANSWERED);
    });
  });

  describe('listeners', () => {
    it('see the new state in the statistics when they are told', async () => {
      const seen: string[] = [];
      rig.breaker.onStateChange(({ to }) => seen.push(`${to} ${rig.breaker.statistics().state}`));
      await rig.toTrial();
      await rig.succeed();
      expect(seen).toEqual(['open open', 'half-open half-open', 'closed closed']);
    });

    it('hear no more after they unsubscribe', async () => {
      const listener = jest.fn();
      const unsubscribe = rig.breaker.onStateChange(listener);
      unsubscribe();
      await rig.run('fffff');
      expect(listener).not.toHaveBeenCalled();
    });

    it('cannot keep the circuit from opening, or the others from hearing of it, by throwing', async () => {
      const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation();
      const broken = new CircuitBreakerService(SETTINGS, () => true, rig.clock);
      const heard = jest.fn();
      broken.onStateChange(() => {
        throw new Error('broken log');
      });
      broken.onStateChange(heard);
      for (let i = 0; i < 5; i++) await settled(broken.execute(() => Promise.reject(new Error('down'))));
      expect(broken.state).toBe('open');
      expect(heard).toHaveBeenCalledWith({ from: 'closed', to: 'open', forced: false });
      expect(emitWarning).toHaveBeenCalledWith(new Error('broken log'));
      emitWarning.mockRestore();
    });
  });
});
