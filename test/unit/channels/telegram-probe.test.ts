import { Log, createLog } from '../../../src/logging/log';
import { CircuitBreakerService } from '../../../src/resilience/circuit-breaker';
import type { TelegramApi } from '../../../src/channels/telegram/bot-api/telegram-api';
import { TelegramProbe } from '../../../src/channels/telegram/telegram-probe';
import { FakeClock } from '../../support/fake-clock';
import { until } from '../../support/until';

const BREAK_SECONDS = 0.02;

function open() {
  const clock = new FakeClock();
  const settings = {
    consecutiveFailures: 1,
    failureRate: 1,
    minimumThroughput: 1,
    samplingSeconds: 30,
    breakSeconds: BREAK_SECONDS,
  };
  const breaker = new CircuitBreakerService(settings, () => true, clock);
  const asked: string[] = [];
  let well = false;
  const api = {
    call: async (method: string) => {
      asked.push(method);
      await breaker.execute(() => (well ? Promise.resolve() : Promise.reject(new Error('unwell'))));
    },
  } as unknown as TelegramApi;
  const log: Log = createLog({ level: 'fatal', format: 'json' }, { write: () => undefined });
  const probe = new TelegramProbe(api, breaker, clock, log);
  probe.onApplicationBootstrap();
  return { clock, breaker, asked, probe, recover: () => (well = true) };
}

const fail = (breaker: CircuitBreakerService) =>
  breaker.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);

describe('telegram.md 7: the probe of an open circuit', () => {
  it('tries again when it came a moment too early, or nobody ever would', async () => {
    const { clock, breaker, asked, probe, recover } = open();
    recover();
    await fail(breaker);
    // Our clock has not moved: by it, the break is not over, and the probe is refused.
    await until('it came too early, several times', () => asked.length >= 3);
    expect(breaker.state).toBe('open');
    clock.advance(1000 * BREAK_SECONDS);
    await until('the circuit closes', () => breaker.state === 'closed');
    expect(new Set(asked)).toEqual(new Set(['getMe']));
    probe.beforeApplicationShutdown();
  });

  it('goes on after every failed trial, and ends with the service', async () => {
    const { clock, breaker, asked, probe } = open();
    await fail(breaker);
    for (let trial = 1; trial <= 3; trial++) {
      const before = breaker.statistics().totalFailures;
      clock.advance(1000 * BREAK_SECONDS);
      await until('a trial failed', () => breaker.statistics().totalFailures > before);
    }
    probe.beforeApplicationShutdown();
    const { length } = asked;
    clock.advance(1000 * BREAK_SECONDS);
    await until(
      'a timer of the same length ends',
      () => new Promise<boolean>((done) => setTimeout(() => done(true), 60)),
    );
    expect(asked).toHaveLength(length);
  });

  it('leaves a circuit alone that is held open by hand', async () => {
    const { clock, breaker, asked, probe } = open();
    breaker.forceOpen();
    clock.advance(1000 * BREAK_SECONDS);
    await until(
      'a timer of the same length ends',
      () => new Promise<boolean>((done) => setTimeout(() => done(true), 60)),
    );
    expect(asked).toEqual([]);
    probe.beforeApplicationShutdown();
  });
});
