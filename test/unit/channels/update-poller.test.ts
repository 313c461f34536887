import type { CommandBus } from '@nestjs/cqrs';
import type { LeaseStore } from '../../../src/database/lease-store';
import { DomainError } from '../../../src/kernel/errors';
import { createLog } from '../../../src/logging/log';
import type { ReadableUpdate } from '../../../src/channels/telegram/updates/readable-update';
import type { TelegramApi } from '../../../src/channels/telegram/bot-api/telegram-api';
import { timeoutFailure } from '../../../src/channels/telegram/bot-api/telegram-failure';
import { TelegramStatus } from '../../../src/channels/telegram/telegram-status';
import type { TelegramWatch } from '../../../src/channels/telegram/telegram-watch';
import type { UpdateHandler } from '../../../src/channels/telegram/updates/update-handler';
import { UpdatePoller } from '../../../src/channels/telegram/updates/update-poller';
import { FakeClock } from '../../support/fake-clock';
import { until } from '../../support/until';

interface Poll {
  readonly offset: number;
  readonly timeout: number;
}

const away = (): Promise<never> => Promise.reject(new DomainError('database.unavailable', 'away'));

/** A poller between a Telegram, a database and handlers that do as the test says. */
function polling() {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = createLog({ level: 'debug', format: 'json' }, { write: (text: string) => lines.push(text) });
  const polls: Poll[] = [];
  const timeouts: (number | undefined)[] = [];
  const waiting: number[] = [];
  const handled: number[] = [];
  let endedEarly = 0;
  let fail: Error | null = null;
  let take = (): Promise<boolean> => Promise.resolve(true);
  let beat = (): Promise<null> => Promise.resolve(null);
  let handle = (_update: ReadableUpdate): Promise<void> => Promise.resolve();

  const api = {
    call: async (
      method: string,
      poll: Poll,
      { timeoutMs, signal }: { timeoutMs?: number; signal: AbortSignal },
    ) => {
      if (method !== 'getUpdates') return true;
      polls.push(poll);
      timeouts.push(timeoutMs);
      await until(
        'something to tell',
        () => signal.aborted || fail !== null || waiting.some((id) => id >= poll.offset),
      );
      if (signal.aborted) endedEarly++;
      if (fail) throw fail;
      return waiting.filter((id) => id >= poll.offset).map((id) => ({ update_id: id }));
    },
  } as unknown as TelegramApi;
  const poller = new UpdatePoller(
    api,
    { ready: Promise.resolve() } as unknown as TelegramWatch,
    {
      handle: async (update: ReadableUpdate) => {
        await handle(update);
        handled.push(update.update_id);
      },
      skip: () => undefined,
    } as unknown as UpdateHandler,
    {
      replica: 'test',
      take: () => take(),
      beat: () => beat(),
      release: () => Promise.resolve(),
    } as unknown as LeaseStore,
    {} as CommandBus,
    new TelegramStatus(log, clock),
    clock,
    log,
  );
  poller.onApplicationBootstrap();
  return {
    poller,
    polls,
    timeouts,
    handled,
    deliver: (id: number) => waiting.push(id),
    handleBy: (work: typeof handle) => (handle = work),
    leaseBy: (work: typeof take) => (take = work),
    beatBy: (work: typeof beat) => (beat = work),
    failWith: (error: Error | null) => (fail = error),
    /** Polls that the poller itself has ended. */
    ended: () => endedEarly,
    logged: (event: string) => lines.join('').includes(`"${event}"`),
  };
}

it('gives up a poll 10 s after Telegram should have answered it, and says so', async () => {
  const rig = polling();
  await until('it polls', () => rig.polls.length > 0);
  expect(rig.timeouts[0]).toBe(((rig.polls[0]?.timeout ?? NaN) + 10) * 1000);
  rig.failWith(timeoutFailure('getUpdates'));
  await until('the log says so', () => rig.logged('telegram.poll-hung'));
  rig.failWith(null);
  await rig.poller.beforeApplicationShutdown();
});

it('fetches and handles what comes while an earlier update is still being handled', async () => {
  const rig = polling();
  let finish: () => void = () => undefined;
  const slow = new Promise<void>((resolve) => (finish = resolve));
  rig.handleBy(({ update_id: id }) => (id === 5 ? slow : Promise.resolve()));
  rig.deliver(5);
  await until('the slow one is under way', () => rig.polls.length > 1);
  for (const id of [6, 7]) rig.deliver(id);
  await until('the others are handled', () => rig.handled.length === 2);
  expect(rig.handled).toEqual([6, 7]);
  // Not confirmed, so that another process would be given it if this one died.
  expect(rig.polls.at(-1)?.offset).toBe(5);
  finish();
  await until('all is confirmed', () => rig.polls.at(-1)?.offset === 8);
  expect(rig.handled).toEqual([6, 7, 5]);
  await rig.poller.beforeApplicationShutdown();
});

it('handles again what the database kept from being handled, and nothing else twice', async () => {
  const rig = polling();
  let isAway = true;
  rig.handleBy(({ update_id: id }) => (id === 5 && isAway ? away() : Promise.resolve()));
  for (const id of [4, 5, 6]) rig.deliver(id);
  await until('it comes again', () => rig.polls.filter(({ offset }) => offset === 5).length > 1);
  isAway = false;
  await until('all is confirmed', () => rig.polls.at(-1)?.offset === 7);
  expect(rig.handled).toEqual([4, 6, 5]);
  await rig.poller.beforeApplicationShutdown();
});

it('goes on fetching taps while the database is away, and stops when another replica has the lease', async () => {
  const rig = polling();
  await until('it polls', () => rig.polls.length > 0);
  let asked = 0;
  rig.leaseBy(() => {
    asked++;
    return away();
  });
  let finish: () => void = () => undefined;
  rig.beatBy(() => new Promise((resolve) => (finish = () => resolve(null))));
  await until('the lease could not be renewed', () => asked > 0);
  rig.deliver(5);
  await until('the tap is handled all the same', () => rig.handled.includes(5));
  rig.deliver(6);
  await until('and the next one, though the last poll cannot be noted', () => rig.handled.includes(6));
  rig.leaseBy(() => Promise.resolve(false));
  await until('the lease is lost', () => rig.ended() > 0);
  finish();
  await rig.poller.beforeApplicationShutdown();
});
