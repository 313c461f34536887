import { InsightStore, SERIES } from '../../src/approvals/records/insight-store';
import { SEARCH, wordsQuery } from '../../src/approvals/records/search-statements';
import type { ApprovalSearch } from '../../src/approvals/approval-store';
import { openTestStore, type OpenStore } from '../support/open-store';
import { RecordStore } from '../../src/approvals/records/record-store';
import { createDataSource } from '../../src/database/data-source';
import { Database, type Query } from '../../src/database/database';
import { LOCK_RECORDS } from '../../src/approvals/erase-statements';
import { createTestDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;
let open: OpenStore;
let replicas: { readonly records: RecordStore; readonly insight: InsightStore; close(): Promise<void> }[];

beforeAll(async () => {
  database = await createTestDatabase();
  open = await openTestStore(database.url);
  replicas = await Promise.all(
    [1, 2].map(async () => {
      const source = createDataSource(database.url, 3);
      await source.initialize();
      const pool = new Database(source);
      return {
        records: new RecordStore(pool),
        insight: new InsightStore(pool),
        close: () => source.destroy(),
      };
    }),
  );
});
afterAll(async () => {
  await open.close();
  await Promise.all(replicas.map((each) => each.close()));
  await database.drop();
});
beforeEach(async () => {
  await database.query('truncate approvals, record_waiting, insight_hours, approval_words');
  await database.query(`update record_state set after_id = '00000000-0000-0000-0000-000000000000'`);
});

interface Made {
  readonly status?: string;
  readonly by?: string;
  readonly name?: string;
  readonly agent?: string;
  readonly input?: string;
  readonly rules?: readonly string[];
  readonly seconds?: number;
  readonly times?: number;
}

/** Stores requests that were asked an hour ago. */
const make = ({ status = 'approved', by = 'telegram', name = 'Olivia', ...more }: Made) =>
  database.query(
    `insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id, policy, created_at,
       expires_at, status, settled_at, settled_by_kind, settled_by_id, settled_by_name)
     select uuid_v7(at), 'laptop', $1 || case when $6 = 1 then '' else n::text end, 's', $2, 'd', 'c', $3, at, at, $4,
       case when $4 <> 'pending' then at + make_interval(secs => $5) end,
       case when $4 <> 'pending' then $7 end, case when $4 <> 'pending' then $8 end, case when $4 <> 'pending' then $8 end
     from (select now() - interval '1 hour' as at) as t, generate_series(1, $6::int) as n`,
    [
      more.agent ?? 'agent',
      `{"agentId":"${more.agent ?? 'agent'}","toolInput":{"command":"${more.input ?? 'ls'}"},"toolName":"Bash","toolUseId":null}`,
      more.rules ? JSON.stringify({ rules: more.rules }) : null,
      status,
      more.seconds ?? 10,
      more.times ?? 1,
      by,
      name,
    ],
  );

/** All replicas record at the same time, again and again, until nothing is left. */
async function record(): Promise<void> {
  while ((await Promise.all(replicas.map(({ records }) => records.record(0)))).some(Boolean));
}

const read = (by: 'tool' | 'agent' | 'person' | 'rule' | null = null) => {
  const to = new Date(Date.now() + 7_200_000);
  const from = new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - 86_400_000);
  const [replica] = replicas;
  if (!replica) throw new Error('no replica');
  return replica.insight.read({ from, to, stepSeconds: 3600, by });
};

describe('the records of ended requests', () => {
  it('count each once, whatever the number of replicas, and a pending one when it has ended', async () => {
    await make({ times: 1_200 });
    await make({ status: 'pending', agent: 'late', times: 700 });
    await record();
    expect((await read()).total).toMatchObject({ approved: 1_200, expired: 0 });
    await database.query(
      `update approvals set status = 'expired', settled_at = created_at, settled_by_kind = 'system', settled_by_id = 'timeout',
         settled_by_name = 'timeout' where status = 'pending'`,
    );
    await record();
    expect((await read()).total).toMatchObject({ approved: 1_200, expired: 700 });
    await record();
    expect(await database.query('select count(*)::int as n from approval_words')).toEqual([{ n: 1_900 }]);
    expect(await database.query('select * from record_waiting')).toEqual([]);
  });

  it('wait until no earlier request can appear', async () => {
    await make({});
    await replicas[0]?.records.record(7_200);
    expect((await read()).total.approved).toBe(0);
  });

  it('know who or what answered, and how long people took', async () => {
    await make({ by: 'policy', name: 'tests', rules: ['tests'], times: 3 });
    await make({ by: 'grant', name: 'g' });
    await make({ status: 'expired', by: 'system', name: 'timeout', seconds: 1_800, rules: ['ask'] });
    await make({ name: 'Sam', seconds: 100, times: 9, agent: 'sam-' });
    await make({ status: 'rejected', name: 'Olivia', seconds: 4_000, rules: ['ask'] });
    await record();
    const { answeredBy, total, week, by } = await read('person');
    expect(answeredBy).toEqual({ rule: 3, grant: 1, person: 10, nobody: 1 });
    expect(total.medianSeconds).toBeGreaterThan(90);
    expect(total.medianSeconds).toBeLessThan(110);
    expect(total.p95Seconds).toBeGreaterThan(3_600);
    expect(week.reduce((sum, count) => sum + count)).toBe(15);
    expect(by?.map(({ name, approved, rejected }) => [name, approved, rejected])).toEqual([
      ['Sam', 9, 0],
      ['Olivia', 0, 1],
    ]);
    expect((await read('rule')).by?.map(({ name }) => name)).toEqual(['tests', 'ask']);
    expect((await read('tool')).by).toMatchObject([{ name: 'Bash', approved: 13 }]);
  });

  it('keep a bounded number of names, whatever agents call themselves', async () => {
    await make({ times: 600 });
    await record();
    const [kept] = await database.query<{ n: number }>(
      `select count(distinct name)::int as n from insight_hours where dimension = 'agent'`,
    );
    expect(kept?.n).toBeLessThanOrEqual(101);
    const { by } = await read('agent');
    expect(by?.at(-1)?.name).toBeNull();
    expect(by?.reduce((sum, { approved }) => sum + approved, 0)).toBe(600);
  });

  it('read the hours that were asked for and not the requests', async () => {
    await database.query(
      `insert into insight_hours select 'all', date_bin('1 hour', now(), 'epoch') - make_interval(hours => h), '', 'approved',
         'person', b, 100 from generate_series(0, 5000) as h, generate_series(0, 9) as b`,
    );
    await database.query('analyze insight_hours');
    const [plan] = await database.query<{ 'QUERY PLAN': [{ Plan: object }] }>(
      `explain (format json) ${SERIES.text
        .replaceAll('$1', `(now() - interval '7 days')`)
        .replaceAll('$2', 'now()')
        .replaceAll('$3', '3600')}`,
    );
    const text = JSON.stringify(plan);
    expect(text).toContain('pk_insight_hours');
    expect(text).not.toContain('"Seq Scan"');
  });
});

describe('a search', () => {
  const everything: ApprovalSearch = {
    status: null,
    agentId: null,
    sessionId: null,
    text: null,
    tool: null,
    person: null,
    rule: null,
    from: null,
    to: null,
    reader: null,
    beforeId: null,
    limit: 50,
  };
  const find = async (wanted: Partial<ApprovalSearch>) => {
    const { snapshots } = await open.store.search({ ...everything, ...wanted });
    return snapshots.map(({ approval }) => approval.agentId);
  };

  it('finds by words, their beginnings and facts, before and after a request is recorded', async () => {
    await make({ agent: 'cleaner', input: 'rm -rf /var/backups/shop\\nnow', name: 'Sam', rules: ['ask'] });
    await make({ agent: "o'neil\\\\", input: 'npm publish', status: 'rejected' });
    await make({ agent: 'path', input: 'type C:\\\\newer\\\\tokens' });
    await make({ agent: 'waits', input: 'npm test', status: 'pending' });
    const expectations = async () => {
      expect(await find({ text: 'BACKUPS now' })).toEqual(['cleaner']);
      expect(await find({ text: 'backu' })).toEqual(['cleaner']);
      expect(await find({ text: 'newer tokens' })).toEqual(['path']);
      expect((await find({ text: 'npm' })).toSorted()).toEqual(["o'neil\\", 'waits']);
      expect(await find({ text: 'npm backups' })).toEqual([]);
      expect(await find({ text: 'npm', status: 'rejected' })).toEqual(["o'neil\\"]);
      expect(await find({ agentId: "o'neil\\" })).toEqual(["o'neil\\"]);
      expect(await find({ person: 'Sam', rule: 'ask', tool: 'Bash' })).toEqual(['cleaner']);
      expect(await find({ status: 'pending' })).toEqual(['waits']);
      expect(await find({ from: new Date() })).toEqual([]);
      const hour = { from: new Date(Date.now() - 2 * 3_600_000), to: new Date() };
      expect((await find(hour)).toSorted()).toEqual(['cleaner', "o'neil\\", 'path', 'waits']);
    };
    await expectations();
    await record();
    await expectations();
  });

  it('reads past a verdict that quotes characters which PostgreSQL refuses in JSON', async () => {
    await make({ agent: 'odd', rules: ['a\u0000', 'b\ud83d'] });
    await make({ agent: 'even', rules: ['ask'] });
    await record();
    expect((await find({})).toSorted()).toEqual(['even', 'odd']);
    expect(await find({ rule: 'ask' })).toEqual(['even']);
  });

  it('goes on where a page ends, without a gap', async () => {
    await make({ times: 5, input: 'uptime' });
    await record();
    await make({ times: 3, agent: 'new', input: 'uptime' });
    const seen: string[] = [];
    for (let beforeId: string | null = null, more = true; more;) {
      const page = await open.store.search({ ...everything, text: 'uptime', limit: 2, beforeId });
      seen.push(...page.snapshots.map(({ approval }) => approval.id));
      ({ more } = page);
      beforeId = seen.at(-1) ?? null;
    }
    expect(seen).toHaveLength(8);
    expect(seen).toEqual([...new Set(seen)].toSorted().reverse());
  });

  it('indexes nothing while an erasure holds the state, also where that ends between its two statements', async () => {
    await make({ agent: 'erased', input: 'uptime hunter2' });
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let locked: () => void = () => undefined;
    const isLocked = new Promise<void>((resolve) => (locked = resolve));
    const erasing = open.database.transaction(async (query) => {
      await query(LOCK_RECORDS, []);
      locked();
      await released;
    });
    await isLocked;
    const late = {
      transaction: <T>(work: (query: Query) => Promise<T>) =>
        open.database.transaction((query) =>
          work(async (statement, values) => {
            const rows = await query(statement, values);
            release();
            await erasing;
            return rows as never;
          }),
        ),
    } as unknown as Database;
    expect(await new RecordStore(late).record(0)).toBe(false);
    expect(await database.query('select id from approval_words')).toEqual([]);
  });

  it('erases what a verdict quotes and keeps its rules, also with escapes that PostgreSQL refuses in JSON', async () => {
    await make({ agent: 'erased', rules: ['ask', String.raw`printf '\u0000'`, 'a\u0000b'] });
    const [row] = await database.query<{ id: string }>(`select id from approvals`);
    const by = { kind: 'person', channel: 'api', id: 'maria', name: 'maria' } as const;
    expect(await open.store.eraseInput(row?.id ?? '', by, 'a password')).toBe(true);
    const [{ policy } = { policy: '' }] = await database.query<{ policy: string }>(
      'select policy from approvals',
    );
    const verdict = {
      rules: ['ask', String.raw`printf '\u0000'`, 'ab'],
      tokens: [],
      doubt: null,
      shadow: null,
    };
    expect(JSON.parse(policy)).toEqual(verdict);
  });

  it('finds an erased request by its facts, and by no word of it', async () => {
    await make({ agent: 'erased', input: 'uptime hunter2', times: 1 });
    await record();
    expect(await find({ text: 'hunter2' })).toEqual(['erased']);
    const [row] = await database.query<{ id: string }>(`select id from approvals where agent_id = 'erased'`);
    const by = { kind: 'person', channel: 'api', id: 'maria', name: 'maria' } as const;
    expect(await open.store.eraseInput(row?.id ?? '', by, 'a password')).toBe(true);
    expect(await find({ text: 'hunter2' })).toEqual([]);
    const { snapshots } = await open.store.search({ ...everything, tool: 'Bash', agentId: 'erased' });
    expect(snapshots.map(({ approval }) => approval.erasure?.reason)).toEqual(['a password']);
  });

  it.each([
    ['rare', 'needle'],
    ['frequent', 'hay'],
  ])('reads a bounded part of many requests, for a %s word', async (_, word) => {
    await database.query(
      `insert into approval_words select uuid_v7(now() - make_interval(mins => n)),
         to_tsvector('simple', 'hay ' || case when n % 10000 = 0 then 'needle' else 'straw' end) from generate_series(1, 60000) as n`,
    );
    await database.query('vacuum analyze approval_words');
    const values = [null, 51, wordsQuery(word), ...Array.from({ length: 11 }, () => null)];
    const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
      `explain (analyze, buffers, format json) ${SEARCH.text}`,
      values,
    );
    const plan = row?.['QUERY PLAN'][0].Plan;
    expect((plan?.['Shared Hit Blocks'] ?? NaN) + (plan?.['Shared Read Blocks'] ?? NaN)).toBeLessThan(400);
    const { snapshots } = await open.store.search({ ...everything, text: word });
    expect(snapshots).toEqual([]);
  });
});
