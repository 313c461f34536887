import { Client } from 'pg';
import { DigestStore, SEND, TODAY } from '../../src/approvals/digest/digest-store';
import { parseConfig } from '../../src/config/environment';
import { createDataSource } from '../../src/database/data-source';
import { Database } from '../../src/database/database';
import type { DecisionCounts } from '../../src/kernel/announcement';
import { Lanes } from '../../src/outbox/lanes';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { TelegramRig } from '../support/telegram-rig';
import { CHAT_ID } from '../support/well-known';

const HOUR = 60;

class OneLane extends Lanes {
  readonly current = [`telegram:${CHAT_ID}`];
}

interface Replica {
  readonly store: DigestStore;
  close(): Promise<void>;
}

async function openReplica(url: string): Promise<Replica> {
  const source = createDataSource(url, 5);
  await source.initialize();
  return {
    store: new DigestStore(new Database(source), new OneLane(), parseConfig({})),
    close: () => source.destroy(),
  };
}

/** An SQL expression of the end of the last full hour, as the digest sees it. */
const LAST_HOUR = `date_bin('1 hour', now() - interval '10 seconds', 'epoch')`;

/** Stores requests that ended at this time, an SQL expression, after so many seconds. */
async function ended(
  database: Pick<TestDatabase, 'query'>,
  at: string,
  rows: readonly { by: string; name: string; status: string; after?: number; times?: number }[],
): Promise<void> {
  for (const { by, name, status, after = 0, times = 1 } of rows)
    await database.query(
      `insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id, created_at, expires_at,
         status, settled_at, settled_by_kind, settled_by_id, settled_by_name)
       select uuid_v7(ended_at - took), 'laptop', 'a', 's', '{}', 'd', 'c', ended_at - took, ended_at,
         $1, ended_at, $2, $3, $3
       from (select ${at} as ended_at, make_interval(secs => $4) as took) as times, generate_series(1, $5::int)`,
      [status, by, name, after, times],
    );
}

const MIXED = [
  { by: 'policy', name: 'project-tests', status: 'approved', times: 16 },
  { by: 'policy', name: 'read-git', status: 'approved', times: 5 },
  { by: 'policy', name: 'no-push', status: 'rejected' },
  { by: 'telegram', name: 'Olivia', status: 'approved', after: 10 },
  { by: 'telegram', name: 'Olivia', status: 'approved', after: 40 },
  { by: 'api', name: 'paul', status: 'rejected', after: 3000 },
  { by: 'system', name: 'timeout', status: 'expired', after: 1800 },
];

const COUNTS: DecisionCounts = {
  allowed: 21,
  rules: [
    { rule: 'project-tests', count: 16 },
    { rule: 'read-git', count: 5 },
  ],
  byGrant: 0,
  denied: 1,
  approved: 2,
  rejected: 1,
  expired: 1,
  cancelled: 0,
  medianSeconds: 40,
};

async function sessionOf(url: string): Promise<Client> {
  const session = new Client({ connectionString: url });
  await session.connect();
  return session;
}

/** All nodes of a plan. */
function nodesOf(plan: unknown): Record<string, unknown>[] {
  if (Array.isArray(plan)) return plan.flatMap(nodesOf);
  if (typeof plan !== 'object' || plan === null) return [];
  return [plan as Record<string, unknown>, ...Object.values(plan).flatMap(nodesOf)];
}

describe('the digest', () => {
  let database: TestDatabase;
  let replicas: Replica[];
  beforeEach(async () => {
    database = await createTestDatabase();
    replicas = [await openReplica(database.url), await openReplica(database.url)];
  });
  afterEach(async () => {
    for (const replica of replicas) await replica.close();
    await database.drop();
  });

  const send = () => replicas[0]?.store.send(HOUR);
  const enqueued = async () =>
    (await database.query<{ data: string }>(`select data from outbox order by id`)).map(
      ({ data }) =>
        JSON.parse(data) as { event: string; fromMs: number; toMs: number; counts: DecisionCounts },
    );

  it('counts what ended in the last full hour, and nothing before or after it', async () => {
    await ended(database, `${LAST_HOUR} - interval '30 minutes'`, MIXED);
    await ended(database, `${LAST_HOUR} - interval '61 minutes'`, MIXED);
    await ended(database, LAST_HOUR, MIXED);
    expect(await send()).toEqual(COUNTS);
    const [news] = await enqueued();
    expect(news).toMatchObject({ event: 'digest', counts: COUNTS });
    expect((news?.toMs ?? 0) - (news?.fromMs ?? 0)).toBe(3_600_000);
    expect((news?.toMs ?? 1) % 3_600_000).toBe(0);
  });

  it('is one message for an interval, however many replicas make it', async () => {
    await ended(database, `${LAST_HOUR} - interval '1 minute'`, MIXED);
    const made = await Promise.all(
      Array.from({ length: 5 }, () => replicas)
        .flat()
        .map(({ store }) => store.send(HOUR)),
    );
    expect(made.filter((counts) => counts !== null)).toHaveLength(1);
    expect(await send()).toBeNull();
    expect(await enqueued()).toHaveLength(1);
  });

  it('is not sent where nothing ended', async () => {
    expect(await send()).toBeNull();
    await ended(database, `${LAST_HOUR} - interval '1 minute'`, MIXED);
    // That interval is over: nothing is counted after the fact.
    expect(await send()).toBeNull();
    expect(await enqueued()).toEqual([]);
  });

  it('begins where the last one ended, and covers a day at most', async () => {
    await ended(database, `${LAST_HOUR} - interval '1 minute'`, MIXED.slice(3));
    await ended(database, `${LAST_HOUR} - interval '5 hours'`, MIXED.slice(3));
    await ended(database, `${LAST_HOUR} - interval '25 hours'`, MIXED.slice(3));
    await database.query(`update digest_state set covered_until = ${LAST_HOUR} - interval '6 hours'`);
    expect(await send()).toMatchObject({ approved: 4, rejected: 2, expired: 2 });
    await database.query(`update digest_state set covered_until = ${LAST_HOUR} - interval '9 days'`);
    expect(await send()).toMatchObject({ approved: 4 });
  });

  it('covers the time between when its interval becomes shorter', async () => {
    await ended(database, `${LAST_HOUR} - interval '1 minute'`, MIXED);
    await send();
    await database.query(`update digest_state set covered_until = ${LAST_HOUR} - interval '30 minutes'`);
    expect(await replicas[0]?.store.send(10)).toMatchObject({ allowed: 21 });
  });

  it.each([
    ['the digest', SEND, `60, 180, '{telegram:1}'`],
    ['/today', TODAY, '180'],
  ])('%s reads the recent requests by the primary key, not the table', async (_what, { text }, values) => {
    await database.query(
      `insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id, created_at, expires_at,
         status, settled_at, settled_by_kind, settled_by_id, settled_by_name)
       select uuid_v7(at), 'laptop', 'a', 's', '{}', 'd', 'c', at, at, 'approved', at, 'policy', 'v', 'read-git'
       from (select now() - n * interval '1 minute' as at from generate_series(1, 20000) as n) as times`,
    );
    await database.query('analyze approvals');
    const parameters = values.split(', ').length === 1 ? '(int)' : '(int, int, text[])';
    const session = await sessionOf(database.url);
    await session.query(`prepare counted ${parameters} as ${text}`);
    const { rows } = await session.query<{ 'QUERY PLAN': unknown }>(
      `explain (format json) execute counted (${values})`,
    );
    await session.end();
    const scans = nodesOf(rows[0]?.['QUERY PLAN']).filter((node) => node['Relation Name'] === 'approvals');
    expect(scans.map((node) => [node['Node Type'], node['Index Name']])).toEqual([
      ['Index Scan', 'pk_approvals'],
    ]);
  });
});

describe('in the chat', () => {
  let rig: TelegramRig;
  beforeAll(async () => {
    rig = await TelegramRig.start();
  });
  afterAll(() => rig.close());

  it('the digest is one message, and /today counts since midnight UTC, for operators', async () => {
    expect(await rig.chat.ask('/today')).toBe('📊 Today, since midnight UTC\nNothing was decided yet.');
    await ended(rig.database, 'now()', MIXED);
    const text =
      '21 allowed by rule (project-tests 16, read-git 5), 1 denied, 4 asked: 2 approved, 1 rejected, 1 expired, median answer 40 s.';
    expect(await rig.chat.ask('/today')).toBe(`📊 Today, since midnight UTC\n${text}`);
    const asked = await rig.chat.say('/today', { user: 6_000 });
    await ended(rig.database, `${LAST_HOUR} - interval '1 minute'`, MIXED);
    const replica = await openReplica(rig.database.url);
    await replica.store.send(HOUR);
    await replica.close();
    const digest = await rig.chat.find('the digest', (message) => message.text.startsWith('📊 Digest'));
    expect(digest.text).toContain(text);
    expect((await rig.chat.messages()).filter(({ replyTo }) => replyTo === asked)).toEqual([]);
  });
});
