import type { CommandBus, EventBus } from '@nestjs/cqrs';
import type { ApprovalStore, Look } from '../../../src/approvals/approval-store';
import { SettlementFeed } from '../../../src/approvals/settlement-feed';
import type { NotificationListener } from '../../../src/database/notification-listener';
import type { Log } from '../../../src/logging/log';
import { FakeClock } from '../../support/fake-clock';

const MIB = 1024 * 1024;
const NEVER = new AbortController().signal;

jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });

const clock = new FakeClock();
let feed: SettlementFeed;
let answered: string[];
/** Requests that the database has lost. */
const lost = new Set<string>();
const waiters: { release(): void }[] = [];

const look = (ids: readonly string[]): Promise<Look[]> =>
  Promise.resolve(
    ids.filter((id) => !lost.has(id)).map((id) => ({ id, status: 'pending', endsInMs: 3_600_000 })),
  );

beforeEach(() => {
  const nothing: unknown = {};
  feed = new SettlementFeed(
    { look } as unknown as ApprovalStore,
    nothing as CommandBus,
    nothing as EventBus,
    nothing as NotificationListener,
    clock,
    nothing as Log,
  );
  answered = [];
});
afterEach(() => {
  for (const waiter of waiters.splice(0)) waiter.release();
});

function wait(id: string, bytes: number): void {
  const seen = { endsInMs: 3_600_000, bytes };
  const waiter = feed.register(id);
  waiters.push(waiter);
  void waiter.settled({ waitMs: 1_000, seen, signal: NEVER }).then(() => answered.push(id));
}

/** Returns the answers of this turn of the event loop and of the next two. */
async function threeTurns(): Promise<string[][]> {
  await new Promise<void>((next) => process.nextTick(next));
  const each = [answered.splice(0)];
  while (each.length < 3) {
    await new Promise((next) => setImmediate(next));
    each.push(answered.splice(0));
  }
  return each;
}

function waitForLargeOnesAndASmallOne(): void {
  for (const id of ['large 1', 'large 2', 'large 3', 'large 4']) wait(id, 3 * MIB);
  wait('small', 100);
}

const IN_TURNS = [['small', 'large 1', 'large 2'], ['large 3', 'large 4'], []];

it('those who wait while the service stops are answered in turns, small requests first', async () => {
  waitForLargeOnesAndASmallOne();
  feed.onModuleDestroy();
  expect(await threeTurns()).toEqual(IN_TURNS);
});

it('those whose time is up together are answered in turns, each once', async () => {
  waitForLargeOnesAndASmallOne();
  clock.advance(1_000);
  jest.advanceTimersByTime(400);
  expect(await threeTurns()).toEqual(IN_TURNS);
});

it('those who wait for a request that the database has lost are told so, and others wait on', async () => {
  const seen = { endsInMs: 3_600_000, bytes: 1 };
  const waiter = feed.register('gone');
  waiters.push(waiter);
  const told = expect(waiter.settled({ waitMs: Infinity, seen, signal: NEVER })).rejects.toMatchObject({
    code: 'approval.not-found',
  });
  wait('kept', 1);
  lost.add('gone');
  await jest.advanceTimersByTimeAsync(200);
  await told;
  expect(answered).toEqual([]);
});
