import { SystemClock } from '../../src/kernel/clock';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openOutbox, type OutboxReplica } from '../support/outbox-rig';

const GROUP = '-1001';
const OTHER_GROUP = '-1002';
const PRIVATE = '42';
/** A slot whose holder died counts as if its call had ended this long after it began. */
const SLOT_LIFE_SECONDS = 15;

let database: TestDatabase;
const open: OutboxReplica[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await Promise.all(open.map((replica) => replica.close()));
  await database.drop();
});
beforeEach(() => database.query('truncate send_slots'));

async function replicaWith(
  perSecond: number,
  chatPerSecond: number,
  groupPerMinute: number,
  poolSize = 4,
): Promise<OutboxReplica> {
  const replica = await openOutbox(database.url, {
    DATABASE_POOL_SIZE: String(poolSize),
    TELEGRAM_BUDGET_PER_SECOND: String(perSecond),
    TELEGRAM_BUDGET_CHAT_PER_SECOND: String(chatPerSecond),
    TELEGRAM_BUDGET_GROUP_PER_MINUTE: String(groupPerMinute),
  });
  open.push(replica);
  return replica;
}

/** @returns the slot that one look at the budget takes for a call to the chat, or null: there is no room. */
async function take({ outbox }: OutboxReplica, chat: string): Promise<string | null> {
  await database.query(
    `insert into outbox (approval_id, kind, chat_id, urgency, created_at, available_at)
     values (gen_random_uuid(), 'outcome', $1, 1, now(), now())`,
    [chat],
  );
  const { work } = await outbox.claim();
  await database.query('truncate outbox, lanes');
  return work?.slot ?? null;
}

/** As if these calls had ended so long ago. */
const endedAgo = (chat: string, count: number, seconds: number) =>
  database.query(
    `insert into send_slots (chat_id, at)
     select $1, clock_timestamp() - make_interval(secs => $3) from generate_series(1, $2)`,
    [chat, count, seconds],
  );

/** Time passes for the budget by its slots becoming older. */
const pass = (seconds: number) =>
  database.query(`update send_slots set at = at - make_interval(secs => $1)`, [seconds]);

/** So high that only the window of a test counts. */
const NO_LIMIT = 10_000;

describe('telegram.md 8: the send budget', () => {
  // What refuses is far enough from the edge for a slow machine, what grants is on it.
  it.each([
    {
      window: '30 in any second, over all chats',
      limits: [30, NO_LIMIT, NO_LIMIT],
      used: 30,
      seconds: 1,
      chat: OTHER_GROUP,
    },
    {
      window: 'three a burst, then one a second, in a chat',
      limits: [NO_LIMIT, 1, NO_LIMIT],
      used: 3,
      seconds: 3,
      chat: PRIVATE,
    },
    {
      window: '20 in any minute, in a group',
      limits: [NO_LIMIT, NO_LIMIT, 20],
      used: 20,
      seconds: 60,
      chat: GROUP,
    },
  ] as const)(
    'has room for $window, and no more',
    async ({ limits: [overall, chatRate, minute], used, seconds, chat }) => {
      const replica = await replicaWith(overall, chatRate, minute);
      await endedAgo(chat === OTHER_GROUP ? GROUP : chat, used, 0);
      expect(await take(replica, chat)).toBeNull();
      await pass(seconds);
      expect(await take(replica, chat)).not.toBeNull();
      await database.query('truncate send_slots');
      await endedAgo(chat, used - 1, seconds / 2);
      expect(await take(replica, chat)).not.toBeNull();
    },
  );

  it('slides: room comes back call by call, in the order in which they ended', async () => {
    const replica = await replicaWith(NO_LIMIT, NO_LIMIT, 3);
    await endedAgo(GROUP, 1, 55);
    await endedAgo(GROUP, 1, 30);
    await endedAgo(GROUP, 1, 10);
    expect(await take(replica, GROUP)).toBeNull();
    await pass(5);
    const slot = await take(replica, GROUP);
    expect(slot).not.toBeNull();
    await replica.budget.release(slot ?? '');
    expect(await take(replica, GROUP)).toBeNull();
    await pass(25);
    expect(await take(replica, GROUP)).not.toBeNull();
  });

  it('counts a minute for groups only, and one chat takes nothing from another', async () => {
    const replica = await replicaWith(NO_LIMIT, NO_LIMIT, 20);
    await endedAgo(PRIVATE, 100, 5);
    expect(await take(replica, PRIVATE)).not.toBeNull();
    await endedAgo(GROUP, 20, 5);
    expect(await take(replica, GROUP)).toBeNull();
    expect(await take(replica, OTHER_GROUP)).not.toBeNull();
  });

  it('counts a call from its end, since Telegram may count it as late as that', async () => {
    const replica = await replicaWith(NO_LIMIT, NO_LIMIT, 1);
    const slot = await take(replica, GROUP);
    await pass(10);
    await replica.budget.release(slot ?? '');
    await pass(55);
    expect(await take(replica, GROUP)).toBeNull();
    await pass(5);
    expect(await take(replica, GROUP)).not.toBeNull();
  });

  it('gets back what was taken for no call, and not what a call has used', async () => {
    const replica = await replicaWith(NO_LIMIT, NO_LIMIT, 1);
    const unused = await take(replica, GROUP);
    await replica.budget.cancel(unused ?? '');
    const used = await take(replica, GROUP);
    expect(used).not.toBeNull();
    await replica.budget.release(used ?? '');
    await replica.budget.cancel(used ?? '');
    expect(await take(replica, GROUP)).toBeNull();
  });

  it('counts a slot whose holder died until its call must have ended, and a window after that', async () => {
    const replica = await replicaWith(NO_LIMIT, NO_LIMIT, 1);
    expect(await take(replica, GROUP)).not.toBeNull();
    await pass(SLOT_LIFE_SECONDS + 55);
    expect(await take(replica, GROUP)).toBeNull();
    await pass(5);
    expect(await take(replica, GROUP)).not.toBeNull();
  });

  it('keeps no more than the slots of a minute', async () => {
    const replica = await replicaWith(NO_LIMIT, NO_LIMIT, 20);
    await endedAgo(OTHER_GROUP, 50, 61);
    await endedAgo(OTHER_GROUP, 3, 50);
    await take(replica, GROUP);
    const [row] = await database.query<{ count: number }>('select count(*)::int as count from send_slots');
    expect(row?.count).toBe(4);
  });

  it('lets whoever waits for room go when told to', async () => {
    const replica = await replicaWith(NO_LIMIT, NO_LIMIT, 1);
    await endedAgo(GROUP, 1, 0);
    const stop = new AbortController();
    const waiting = replica.budget.acquire(GROUP, stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow(/enough|aborted/);
    await expect(replica.budget.acquire(GROUP, stop.signal)).rejects.toThrow('enough');
  });

  it('says what is left in each window, calls under way included, and never less than nothing', async () => {
    const { budget } = await replicaWith(30, 1, 20);
    expect(await budget.left(GROUP)).toEqual({ perSecond: 30, chat: 3, groupPerMinute: 20 });
    expect(await budget.left(PRIVATE)).toEqual({ perSecond: 30, chat: 3, groupPerMinute: null });
    await endedAgo(GROUP, 4, 30);
    await budget.acquire(GROUP, new AbortController().signal);
    expect(await budget.left(GROUP)).toEqual({ perSecond: 29, chat: 2, groupPerMinute: 15 });
    expect(await budget.left(PRIVATE)).toEqual({ perSecond: 29, chat: 3, groupPerMinute: null });
    await endedAgo(GROUP, 40, 0);
    expect(await budget.left(GROUP)).toEqual({ perSecond: 0, chat: 0, groupPerMinute: 0 });
  });

  it('knows what a chat takes in a minute', async () => {
    const generous = (await replicaWith(30, 1, 100)).budget;
    expect([generous.groupMinute, generous.privateMinute]).toEqual([60, 60]);
    const usual = (await replicaWith(30, 1, 20)).budget;
    expect([usual.groupMinute, usual.privateMinute]).toEqual([20, 60]);
  });

  it('holds a chat for as long as Telegram says, and a shorter hold ends no longer one', async () => {
    const { budget } = await replicaWith(NO_LIMIT, NO_LIMIT, NO_LIMIT);
    const heldSeconds = async (): Promise<number> => {
      const [lane] = await database.query<{ seconds: number }>(
        `select extract(epoch from available_at - now())::float8 as seconds from lanes where chat_id = $1`,
        [GROUP],
      );
      return lane?.seconds ?? NaN;
    };
    await budget.hold(GROUP, 600_000);
    expect(await heldSeconds()).toBeGreaterThan(500);
    expect(await heldSeconds()).toBeLessThanOrEqual(600);
    await budget.hold(GROUP, 1_000);
    expect(await heldSeconds()).toBeGreaterThan(500);
    await database.query('truncate lanes');
  });

  it('takes room that is given back early, long before the window would have had some', async () => {
    const { budget } = await replicaWith(NO_LIMIT, NO_LIMIT, 1);
    const forever = new AbortController().signal;
    const unused = await budget.acquire(GROUP, forever);
    const waiting = budget.acquire(GROUP, forever);
    await budget.cancel(unused);
    expect(await waiting).not.toBe(unused);
  });

  it('sends every statement prepared', async () => {
    const replica = await replicaWith(NO_LIMIT, NO_LIMIT, NO_LIMIT, 1);
    const { budget } = replica;
    const slot = await budget.acquire(PRIVATE, new AbortController().signal);
    await budget.release(slot);
    await budget.cancel(slot);
    await budget.hold(PRIVATE, 0);
    await budget.left(PRIVATE);
    const prepared = await replica.database.query<{ name: string }>(
      { name: '', text: `select name from pg_prepared_statements where name <> ''` },
      [],
    );
    const names = prepared.map(({ name }) => name).sort();
    expect(names).toEqual(
      ['cancel', 'forget', 'hold', 'left', 'lock', 'return', 'take'].map((what) => `budget-${what}`),
    );
    await database.query('truncate lanes');
  });

  it('is never exceeded by three replicas in parallel, and everybody gets a turn', async () => {
    const PER_SECOND = 20;
    const CHAT_RATE = 5;
    const BURST = 3;
    const CALLS = 60;
    const replicas = [
      await replicaWith(PER_SECOND, CHAT_RATE, NO_LIMIT),
      await replicaWith(PER_SECOND, CHAT_RATE, NO_LIMIT),
      await replicaWith(PER_SECOND, CHAT_RATE, NO_LIMIT),
    ];
    const clock = new SystemClock();
    const chats = [GROUP, OTHER_GROUP, PRIVATE, '43', '44', '45'];
    const done: { chat: string; takenAt: number; endedAt: number }[] = [];
    let left = CALLS;
    const worker = async ({ budget }: OutboxReplica): Promise<void> => {
      while (left > 0) {
        const chat = chats[left-- % chats.length] ?? GROUP;
        const slot = await budget.acquire(chat, new AbortController().signal);
        const takenAt = clock.monotonicMs();
        const endedAt = clock.monotonicMs();
        await budget.release(slot);
        done.push({ chat, takenAt, endedAt });
      }
    };
    await Promise.all([...replicas, ...replicas].map(worker));

    expect(done).toHaveLength(CALLS);
    const expectWindow = (calls: typeof done, most: number, windowMs: number): void => {
      const inOrder = [...calls].sort((a, b) => a.takenAt - b.takenAt);
      inOrder.slice(most).forEach(({ takenAt }, index) => {
        const ended = inOrder[index]?.endedAt ?? NaN;
        expect(takenAt - ended).toBeGreaterThanOrEqual(windowMs);
      });
    };
    expectWindow(done, PER_SECOND, 1000);
    for (const each of chats) {
      const here = done.filter(({ chat }) => chat === each);
      expectWindow(here, BURST, (BURST * 1000) / CHAT_RATE);
    }
  });
});
