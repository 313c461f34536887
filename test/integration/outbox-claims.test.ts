import { randomUUID } from 'node:crypto';
import { createDataSource } from '../../src/database/data-source';
import { isUnavailable } from '../../src/database/database';
import { formatLane } from '../../src/channels/telegram/lane';
import { URGENCY } from '../../src/outbox/outbox-work';
import { LOCK_DUE_STEPS } from '../../src/approvals/chains/chain-statements';
import { CLAIM, claimValues, type Work } from '../../src/outbox/outbox-store';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openOutbox, type OutboxReplica } from '../support/outbox-rig';
import { until } from '../support/until';

const GROUP = '-1001';
const OTHER_GROUP = '-1002';
const LEASE_SECONDS = 30;

const lane = (chatId: string, threadId = '0') => formatLane({ chatId, threadId });

let database: TestDatabase;
let replica: OutboxReplica;
beforeAll(async () => {
  database = await createTestDatabase();
  replica = await openOutbox(database.url, {
    ESCALATION_LEASE_SECONDS: String(LEASE_SECONDS),
    TELEGRAM_BUDGET_PER_SECOND: '10000',
    TELEGRAM_BUDGET_CHAT_PER_SECOND: '10000',
    TELEGRAM_BUDGET_GROUP_PER_MINUTE: '10',
  });
});
afterAll(async () => {
  await replica.close();
  await database.drop();
});
beforeEach(() => database.query('truncate outbox, lanes, outbox_lanes, send_slots, cards'));

async function add(
  kind: 'card' | 'outcome' | 'warning',
  chat = GROUP,
  approvalId: string = randomUUID(),
): Promise<string> {
  await database.query(
    `insert into outbox (approval_id, kind, chat_id, urgency, created_at, available_at)
     values ($1, $2, $3, $4, now(), now())`,
    [approvalId, kind, chat, URGENCY[kind]],
  );
  return approvalId;
}

async function addMany(count: number, chat = GROUP): Promise<void> {
  await database.query(
    `insert into outbox (approval_id, kind, chat_id, urgency, created_at, available_at)
     select gen_random_uuid(), 'card', $1, 0, now(), now() from generate_series(1, $2)`,
    [chat, count],
  );
}

async function claimed(): Promise<Work> {
  const { work } = await replica.outbox.claim();
  if (!work) throw new Error('nothing was claimed');
  // The call is over: the next one need not wait for it.
  await replica.budget.cancel(work.slot);
  return work;
}

it('an empty outbox asks for no early look', async () => {
  expect(await replica.outbox.claim()).toEqual({ work: null, waitMs: null, waiting: [], full: [] });
});

it('what waits for its time asks for no early look either', async () => {
  await add('warning');
  await database.query(`update outbox set available_at = now() + interval '1 hour'`);
  expect(await replica.outbox.claim()).toEqual({ work: null, waitMs: null, waiting: [], full: [] });
});

it('telegram.md 8: a new card goes before a final edit, that before a warning, and what is for the whole chat before all', async () => {
  await add('warning');
  await add('outcome');
  await add('card');
  await replica.outbox.enqueueNotice(lane(GROUP), { fromMs: 0, toMs: 1 });
  const order = [await claimed(), await claimed(), await claimed(), await claimed()];
  expect(order.map(({ kind }) => kind)).toEqual(['notice', 'card', 'outcome', 'warning']);
});

/** In milliseconds, as `Date` counts them. */
async function databaseTime(): Promise<number> {
  const [row] = await database.query<{ now: Date }>('select clock_timestamp() as now');
  return row?.now.getTime() ?? NaN;
}

it('telegram.md 8: work of one kind goes in the order in which it was asked for', async () => {
  const asked = [await add('card'), await add('card'), await add('card')];
  const told = [await claimed(), await claimed(), await claimed()];
  expect(told.map((work) => 'approvalId' in work && work.approvalId)).toEqual(asked);
});

it('telegram.md 8: a chat that must pause holds up no other, and tells when it may be tried again', async () => {
  await add('card', GROUP);
  const other = await add('warning', OTHER_GROUP);
  await replica.outbox.pauseLane(lane(GROUP), 60_000);
  expect(await claimed()).toMatchObject({ kind: 'warning', approvalId: other, lane: lane(OTHER_GROUP) });
  const claim = await replica.outbox.claim();
  expect(claim).toEqual({
    work: null,
    waitMs: expect.any(Number) as number,
    waiting: [lane(GROUP)],
    full: [lane(GROUP)],
  });
  const { waitMs } = claim as { waitMs: number };
  const [left] = await database.query<{ ms: number }>(
    `select extract(epoch from available_at - now())::float8 * 1000 as ms from outbox_lanes where lane = $1`,
    [lane(GROUP)],
  );
  // By the time of the question, which is a little later, a little less is left.
  expect(waitMs).toBeGreaterThanOrEqual(Math.floor(left?.ms ?? NaN));
  expect(waitMs).toBeLessThanOrEqual(60_000);
});

it('telegram.md 8: the work of a chat that is busy waits, and holds up no other', async () => {
  const first = await add('card', GROUP);
  const other = await add('warning', OTHER_GROUP);
  const { work } = await replica.outbox.claim([lane(GROUP)]);
  expect(work).toMatchObject({ approvalId: other });
  expect(await replica.outbox.claim([lane(GROUP)])).toEqual({
    work: null,
    waitMs: null,
    waiting: [],
    full: [],
  });
  expect(await claimed()).toMatchObject({ approvalId: first });
});

it('telegram.md 1: the pause of a chat that fails doubles from 1 s up to 14 s, which with the second of the message itself is 15, and begins anew once it works', async () => {
  const expectPauses = async (seconds: readonly number[]): Promise<void> => {
    for (const each of seconds) {
      const before = await databaseTime();
      await replica.outbox.pauseLane(lane(GROUP), null);
      const [paused] = await database.query<{ until: Date }>(
        `select available_at as until from outbox_lanes`,
      );
      await database.query(`update outbox_lanes set available_at = now()`);
      expect(paused?.until.getTime()).toBeGreaterThanOrEqual(before + 1000 * each);
      expect(paused?.until.getTime()).toBeLessThanOrEqual((await databaseTime()) + 1000 * each);
    }
  };
  await expectPauses([1, 2, 4, 8, 14, 14]);
  await replica.outbox.laneWorks(lane(GROUP));
  await expectPauses([1, 2]);
});

it('telegram.md 9: a second outcome of one request joins the one that waits; one that is being told is told again', async () => {
  const approvalId = await add('outcome');
  await expect(add('outcome', GROUP, approvalId)).rejects.toThrow(/uq_outbox_lane_work/);
  const work = await claimed();
  await database.query(
    `update outbox set available_at = now(), lease_token = lease_token + 1 where approval_id = $1`,
    [approvalId],
  );
  // The edit that is out now shows what was true before: it does not count as the last word.
  await replica.outbox.finish(work);
  const again = await claimed();
  expect(again).toMatchObject({ kind: 'outcome', approvalId });
  await replica.outbox.finish(again);
  expect(await database.query('select 1 from outbox')).toEqual([]);
});

it('however long the backlog, a claim reads a few rows', async () => {
  await addMany(5_000);
  await addMany(5_000, OTHER_GROUP);
  const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
    `explain (analyze, buffers, format json) ${CLAIM.text}`,
    claimValues(LEASE_SECONDS, [], [{ place: 'telegram', freeAt: null, shareFreeAt: null }]),
  );
  const plan = row?.['QUERY PLAN'][0].Plan;
  expect(plan?.['Shared Hit Blocks']).toBeLessThan(100);
});

describe('with 10 000 open chains', () => {
  const CHAINS = 10_000;
  const STEPS_AT_ONCE = 200;

  /** The blocks that a look for due steps reads by a plan that was made for any moment, and how often it scans whole tables. */
  async function look(): Promise<{ readonly blocks: number; readonly scans: number }> {
    await database.query('set plan_cache_mode = force_generic_plan');
    await database.query(`prepare look as ${LOCK_DUE_STEPS.text}`);
    const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
      `explain (analyze, buffers, format json) execute look (${STEPS_AT_ONCE})`,
    );
    await database.query('deallocate look');
    await database.query('reset plan_cache_mode');
    const plan = row?.['QUERY PLAN'][0].Plan;
    return {
      blocks: (plan?.['Shared Hit Blocks'] ?? NaN) + (plan?.['Shared Read Blocks'] ?? NaN),
      scans: JSON.stringify(plan).split('Seq Scan').length - 1,
    };
  }

  beforeEach(() =>
    database.query(
      `with asked as (
         insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id, created_at, expires_at)
         select gen_random_uuid(), 'key', 'agent', 'session', '{}', 'sha256:', 'c', now(), now() + interval '1 hour'
         from generate_series(1, ${CHAINS}) returning id)
       insert into outbox (approval_id, kind, lane, urgency, created_at, available_at, data)
       select id, 'step', 'chain:', 0, now(), case when random() < 0.5 then now() + interval '5 min' else 'infinity' end, '{}'
       from asked`,
    ),
  );
  afterEach(() => database.query('truncate approvals cascade'));

  it.each([
    ['before PostgreSQL knows how many there are', null],
    ['once it knows', 'analyze outbox, approvals'],
  ])('a look for due steps reads a few rows, %s', async (_, know) => {
    if (know !== null) await database.query(know);
    const idle = await look();
    expect(idle).toEqual({ blocks: expect.any(Number) as number, scans: 0 });
    expect(idle.blocks).toBeLessThan(100);
    await database.query(
      `update outbox set available_at = now() where id in (select id from outbox order by id limit 3)`,
    );
    const busy = await look();
    expect(busy.scans).toBe(0);
    expect(busy.blocks).toBeLessThan(200);
  });
});

describe('a lease', () => {
  const runOut = () => database.query(`update outbox set available_at = now()`);

  it('that ran out lets the work be taken again, and its zombie can neither end, delay nor bury it', async () => {
    await add('card');
    const zombie = await claimed();
    expect((await replica.outbox.claim()).work).toBeNull();
    await runOut();
    const heir = await claimed();
    expect(heir.id).toBe(zombie.id);
    expect(heir.attempts).toBe(2);
    await replica.outbox.finish(zombie);
    await replica.outbox.bury(zombie, 'zombie');
    await replica.outbox.postpone(zombie, 0, 'zombie');
    await replica.outbox.renew([zombie]);
    expect(await database.query('select lease_token, dead_at, last_error from outbox')).toEqual([
      { lease_token: heir.leaseToken, dead_at: null, last_error: null },
    ]);
    expect((await replica.outbox.claim()).work).toBeNull();
    await replica.outbox.finish(heir);
    expect(await database.query('select 1 from outbox')).toEqual([]);
  });

  it('ends when the work is given back, whatever renewal is still under way', async () => {
    await add('card');
    const work = await claimed();
    await replica.outbox.postpone(work, 0, 'later');
    await replica.outbox.renew([work]);
    expect((await claimed()).id).toBe(work.id);
  });

  it('lasts as long as configured from its last renewal', async () => {
    await add('card');
    const work = await claimed();
    await database.query(`update outbox set available_at = now() + interval '1 second'`);
    const before = await databaseTime();
    await replica.outbox.renew([work]);
    const [row] = await database.query<{ until: Date }>(`select available_at as until from outbox`);
    expect(row?.until.getTime()).toBeGreaterThanOrEqual(before + 1000 * LEASE_SECONDS);
    expect(row?.until.getTime()).toBeLessThanOrEqual((await databaseTime()) + 1000 * LEASE_SECONDS);
  });
});

describe('a dead letter', () => {
  it('is never claimed, is listed with its cause, and lives again when it is replayed', async () => {
    const approvalId = await add('card');
    await replica.outbox.bury(await claimed(), 'Bad Request: no');
    expect((await replica.outbox.claim()).work).toBeNull();
    const [dead] = await replica.outbox.deadLetters(10);
    expect(dead).toMatchObject({ kind: 'card', approvalId, error: 'Bad Request: no', attempts: 1 });
    expect(await replica.outbox.replay(dead?.id ?? '')).toBe(1);
    expect(await claimed()).toMatchObject({ approvalId, attempts: 2 });
    expect(await replica.outbox.deadLetters(10)).toEqual([]);
  });
});

describe('telegram.md 17: of a backlog above one minute of the chat’s budget', () => {
  const digests = (): Promise<{ data: string }[]> =>
    database.query(`select data from outbox where kind = 'digest' and chat_id = $1`, [GROUP]);

  it('one digest tells, once, until it was worked off; a new backlog is told of again', async () => {
    await addMany(12);
    expect((await claimed()).kind).toBe('card');
    expect((await digests()).map(({ data }) => JSON.parse(data) as unknown)).toEqual([{ unsent: 11 }]);
    const digest = await claimed();
    expect(digest.kind).toBe('digest');
    await replica.outbox.finish(digest);
    await addMany(5);
    for (let card = 0; card < 16; card++) {
      // The budget of the minute is another matter.
      await database.query('truncate send_slots');
      const work = await claimed();
      expect(work.kind).toBe('card');
      await replica.outbox.finish(work);
      expect(await digests()).toEqual([]);
    }
    await addMany(12);
    await database.query('truncate send_slots');
    await claimed();
    expect(await digests()).toHaveLength(1);
  });

  it('none tells when it is exactly a minute, or when it is of another chat', async () => {
    await addMany(11);
    await addMany(12, OTHER_GROUP);
    await database.query(`update outbox set urgency = 5 where chat_id = $1`, [OTHER_GROUP]);
    expect(await claimed()).toMatchObject({ kind: 'card', lane: lane(GROUP) });
    expect(await database.query(`select 1 from outbox where kind = 'digest'`)).toEqual([]);
  });
});

it('a replica that is frozen in the middle of a claim loses its lock on the budget, and the others go on', async () => {
  const source = createDataSource(database.url, 1);
  await source.initialize();
  const frozen = source.createQueryRunner();
  await frozen.startTransaction();
  await frozen.query(`select 1 from leases where name = 'send-budget' for update`);
  await add('card');
  // A claim waits for a lock for two seconds; PostgreSQL ends the idle transaction after five.
  const work = await until('another replica goes on', () =>
    claimed().catch((error: unknown) => {
      if (!isUnavailable(error)) throw error;
      return null;
    }),
  );
  expect(work.kind).toBe('card');
  await expect(frozen.query('select 1')).rejects.toThrow();
  await frozen.release();
  await source.destroy();
});
