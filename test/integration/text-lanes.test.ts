import { randomUUID } from 'node:crypto';
import { migrate, revertMigration } from '../../src/database/migrations';
import { createDatabaseBefore, type TestDatabase } from '../support/database';

const MIGRATION = 'AddTextLanes1795464000019';
const GROUP = '-1001';

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabaseBefore(MIGRATION);
});
afterEach(() => database.drop());

interface Row {
  readonly approval_id: string | null;
  readonly kind: string;
  readonly lane: string;
  readonly chat_id: string;
  readonly thread_id: string;
  readonly dead: boolean;
  readonly token: number;
}

const rows = (): Promise<Row[]> =>
  database.query<Row>(
    `select approval_id, kind, lane, chat_id, thread_id, dead_at is not null as dead, lease_token::int as token
     from outbox order by id`,
  );

/** Enqueues as the version before does. */
async function enqueueBefore(
  kind: string,
  approvalId: string | null,
  { chat = GROUP, topic = '0', dead = false } = {},
): Promise<void> {
  await database.query(
    `insert into outbox (approval_id, kind, chat_id, thread_id, urgency, created_at, available_at, dead_at)
     values ($1, $2, $3, $4, 0, now(), now(), case when $5 then now() end)
     on conflict (approval_id, kind) do update set lease_token = outbox.lease_token + 1`,
    [approvalId, kind, chat, topic, dead],
  );
}

/** Enqueues as this version does. */
async function enqueueNow(kind: string, approvalId: string | null, lane: string): Promise<void> {
  await database.query(
    `insert into outbox (approval_id, kind, lane, urgency, created_at, available_at)
     values ($1, $2, $3, 0, now(), now())
     on conflict (approval_id, lane, kind) do update set lease_token = outbox.lease_token + 1`,
    [approvalId, kind, lane],
  );
}

it('gives pending work, dead letters and pauses of the version before their lanes, and goes back with all work', async () => {
  const [card, dead] = [randomUUID(), randomUUID()];
  await enqueueBefore('card', card, { topic: '17' });
  await enqueueBefore('outcome', dead, { dead: true });
  await enqueueBefore('notice', null, { chat: '42' });
  await database.query(
    `insert into lane_states (chat_id, thread_id, failures, available_at, digest_at) values ($1, 17, 3, now(), now())`,
    [GROUP],
  );

  await migrate(database.url);
  expect(await rows()).toMatchObject([
    { approval_id: card, lane: 'telegram:-1001/17', dead: false },
    { approval_id: dead, lane: 'telegram:-1001', dead: true },
    { approval_id: null, lane: 'telegram:42', dead: false },
  ]);
  expect(await database.query(`select lane, failures, digest_at is null as quiet from outbox_lanes`)).toEqual(
    [{ lane: 'telegram:-1001/17', failures: 3, quiet: false }],
  );

  await enqueueNow('outcome', card, 'telegram:-1001/17');
  for (let name = ''; name !== MIGRATION;) name = (await revertMigration(database.url)) ?? MIGRATION;
  expect(
    await database.query(
      `select kind, chat_id, thread_id, dead_at is not null as dead from outbox order by id`,
    ),
  ).toEqual([
    { kind: 'card', chat_id: '-1001', thread_id: '17', dead: false },
    { kind: 'outcome', chat_id: '-1001', thread_id: '0', dead: true },
    { kind: 'notice', chat_id: '42', thread_id: '0', dead: false },
    { kind: 'outcome', chat_id: '-1001', thread_id: '17', dead: false },
  ]);
  expect(await database.query(`select 1 from lane_states where digest_at is not null`)).toEqual([]);

  await migrate(database.url);
  expect((await rows()).map(({ lane }) => lane)).toEqual([
    'telegram:-1001/17',
    'telegram:-1001',
    'telegram:42',
    'telegram:-1001/17',
  ]);
});

describe('beside a replica of the version before', () => {
  beforeEach(async () => {
    await migrate(database.url);
    // From there on, an approval has work of one kind in several lanes.
    for (let name = ''; name !== 'AddChains1795464000046';)
      name = (await revertMigration(database.url)) ?? 'AddChains1795464000046';
  });

  it('each version finds the work of the other in its own columns', async () => {
    const [before, now] = [randomUUID(), randomUUID()];
    await enqueueBefore('card', before, { topic: '5' });
    await enqueueNow('card', now, 'telegram:-1001/5');
    await enqueueNow('notice', null, 'telegram:42');
    expect(await rows()).toMatchObject([
      { lane: 'telegram:-1001/5', chat_id: '-1001', thread_id: '5' },
      { lane: 'telegram:-1001/5', chat_id: '-1001', thread_id: '5' },
      { lane: 'telegram:42', chat_id: '42', thread_id: '0' },
    ]);
  });

  it('work that one version moves is moved for the other', async () => {
    await enqueueNow('card', randomUUID(), 'telegram:-1001');
    await database.query(`update outbox set chat_id = -1002, thread_id = 3`);
    expect(await rows()).toMatchObject([{ lane: 'telegram:-1002/3' }]);
    await database.query(`update outbox set lane = 'telegram:-1003'`);
    expect(await rows()).toMatchObject([{ chat_id: '-1003', thread_id: '0' }]);
  });

  it('requeues the outcome of a request once, whichever version enqueued it and wherever it waits', async () => {
    const approvalId = randomUUID();
    await enqueueBefore('outcome', approvalId, { chat: '-1002' });
    await enqueueNow('outcome', approvalId, 'telegram:-1001');
    await enqueueBefore('outcome', approvalId);
    expect(await rows()).toMatchObject([{ lane: 'telegram:-1002', chat_id: '-1002', token: 2 }]);
  });
});
