import type { Telegraf } from 'telegraf';
import { createLog } from '../../../src/logging/log';
import { CircuitBreakerService, CircuitOpenError } from '../../../src/resilience/circuit-breaker';
import type { CallOptions, TelegramApi } from '../../../src/channels/telegram/bot-api/telegram-api';
import { circuitOpenFailure, timeoutFailure } from '../../../src/channels/telegram/bot-api/telegram-failure';
import type { Destination } from '../../../src/channels/telegram/destination';
import { Menu } from '../../../src/channels/telegram/menu';
import { STEADY_MS, TelegramStatus } from '../../../src/channels/telegram/telegram-status';
import { TelegramWatch } from '../../../src/channels/telegram/telegram-watch';
import { FakeClock } from '../../support/fake-clock';
import { until } from '../../support/until';
import { BOT_TOKEN } from '../../support/well-known';

const BREAK_SECONDS = 0.02;
/** Longer than the outbox takes to report work that waits. */
const QUIET_MS = 20_000;

/** A watch before a Telegram in which the methods of `broken` fail for all callers. */
function watching() {
  const clock = new FakeClock();
  const settings = {
    consecutiveFailures: 1,
    failureRate: 1,
    minimumThroughput: 1,
    samplingSeconds: 30,
    breakSeconds: BREAK_SECONDS,
  };
  const breaker = new CircuitBreakerService(settings, () => true, clock);
  const broken = new Set<string>();
  /** Calls that the breaker guards: the others are those of the connection at the start. */
  const asked: string[] = [];
  const answer = (method: string) =>
    broken.has(method) ? Promise.reject(timeoutFailure(method)) : Promise.resolve({});
  const api = {
    call: async (method: string, _payload: object, options: CallOptions) => {
      if (options.breaker === false) return answer(method);
      asked.push(method);
      return breaker
        .execute(() => answer(method))
        .catch((error: unknown) => {
          throw error instanceof CircuitOpenError ? circuitOpenFailure(method) : error;
        });
    },
  } as unknown as TelegramApi;
  const log = createLog({ level: 'fatal', format: 'json' }, { write: () => undefined });
  const status = new TelegramStatus(log, clock);
  const bot = { telegram: { token: BOT_TOKEN } } as Telegraf;
  const destination = { now: () => Promise.resolve({ chatId: '-1001', threadId: '0' }) };
  const where = destination as unknown as Destination;
  const watch = new TelegramWatch(bot, api, breaker, status, where, new Menu(api, log), clock, log);
  return { clock, breaker, status, asked, broken, bot, watch };
}

function started() {
  const rig = watching();
  rig.watch.onApplicationBootstrap();
  return rig;
}

const fail = (breaker: CircuitBreakerService) =>
  breaker.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);

describe('telegram.md 7: the trial of an open circuit', () => {
  it('tries again when it came a moment too early, or nobody ever would', async () => {
    const { clock, breaker, asked, watch } = started();
    await fail(breaker);
    // Our clock has not moved: by it, the break is not over, and the trial is refused.
    await until('it came too early, several times', () => asked.length >= 3);
    expect(breaker.state).toBe('open');
    clock.advance(1000 * BREAK_SECONDS);
    await until('the circuit closes', () => breaker.state === 'closed');
    expect(new Set(asked)).toEqual(new Set(['getMe']));
    await watch.beforeApplicationShutdown();
  });

  it('is getChat after getMe failed, so that getMe alone does not keep the circuit open', async () => {
    const { clock, breaker, asked, broken, watch } = started();
    broken.add('getMe');
    await fail(breaker);
    await until('the circuit closes', () => {
      clock.advance(1000 * BREAK_SECONDS);
      return breaker.state === 'closed';
    });
    expect(asked.at(-1)).toBe('getChat');
    await watch.beforeApplicationShutdown();
  });

  it('goes on after every failed trial, and ends with the service', async () => {
    const { clock, breaker, asked, broken, watch } = started();
    for (const method of ['getMe', 'getChat']) broken.add(method);
    await fail(breaker);
    for (let trial = 1; trial <= 3; trial++) {
      const before = breaker.statistics().totalFailures;
      clock.advance(1000 * BREAK_SECONDS);
      await until('a trial failed', () => breaker.statistics().totalFailures > before);
    }
    await watch.beforeApplicationShutdown();
    const { length } = asked;
    clock.advance(1000 * BREAK_SECONDS);
    await until(
      'a timer of the same length ends',
      () => new Promise<boolean>((done) => setTimeout(() => done(true), 60)),
    );
    expect(asked).toHaveLength(length);
  });

  it('leaves a circuit alone that is held open by hand', async () => {
    const { clock, breaker, asked, watch } = started();
    breaker.forceOpen();
    clock.advance(1000 * BREAK_SECONDS);
    await until(
      'a timer of the same length ends',
      () => new Promise<boolean>((done) => setTimeout(() => done(true), 60)),
    );
    expect(asked).toEqual([]);
    await watch.beforeApplicationShutdown();
  });
});

describe('the token', () => {
  it('is proved by getChat after three failures of getMe, and the bot id is its first part', async () => {
    const { status, broken, bot, watch } = watching();
    broken.add('getMe');
    watch.onApplicationBootstrap();
    await watch.ready;
    expect(watch.isReady).toBe(true);
    expect(bot.botInfo).toMatchObject({ id: 1_000_000_001, username: '' });
    expect(status.health.degradedBecause).toBeNull();
    await watch.beforeApplicationShutdown();
  });

  it('is not proved while neither is answered', async () => {
    const { status, broken, bot, watch } = watching();
    for (const method of ['getMe', 'getChat']) broken.add(method);
    watch.onApplicationBootstrap();
    await until('health tells of it', () => status.health.degradedBecause?.includes('getMe'));
    expect(bot.botInfo).toBeUndefined();
    await watch.beforeApplicationShutdown();
  });
});

describe('trouble with sending when there is nothing left to send', () => {
  function troubled() {
    const rig = watching();
    rig.status.report('token', null);
    return { ...rig, reason: () => rig.status.health.degradedBecause };
  }

  it('ends when Telegram would take something for the chat', async () => {
    const { clock, status, watch, asked, reason } = troubled();
    await watch.checkSending();
    status.report('sending', 'messages do not get through');
    clock.advance(QUIET_MS - 1);
    await watch.checkSending();
    expect(asked).toEqual([]);
    clock.advance(1);
    await watch.checkSending();
    expect(asked).toEqual(['sendChatAction']);
    clock.advance(STEADY_MS);
    expect(reason()).toBeNull();
  });

  it('lasts as long as Telegram does not', async () => {
    const { clock, status, watch, broken, reason } = troubled();
    broken.add('sendChatAction');
    status.report('sending', 'messages do not get through');
    clock.advance(QUIET_MS);
    await watch.checkSending();
    clock.advance(STEADY_MS);
    expect(reason()).toBe('messages do not get through');
  });
});
