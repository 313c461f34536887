import { sealAll } from '../../src/audit/audit-chain';
import type { Seal } from '../../src/audit/seal';
import { AuditStore, SEARCH, UNSEALED } from '../../src/audit/audit-store';
import type { Statement } from '../../src/database/database';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestStore, type OpenStore } from '../support/open-store';

const LIMIT = 500;

let database: TestDatabase;
let replica: OpenStore;
let store: AuditStore;

beforeEach(async () => {
  database = await createTestDatabase();
  replica = await openTestStore(database.url);
  store = new AuditStore(replica.database);
});
afterEach(async () => {
  await replica.close();
  await database.drop();
});

/** Rows of nothing in particular; their numbers begin at 1. */
const write = (count: number) =>
  database.query(
    `insert into audit_log (at, type, actor, data) select now(), 'test', 'test', '{}' from generate_series(1, $1)`,
    [count],
  );

async function sealNext(limit: number): Promise<readonly Seal[]> {
  const seals = sealAll(await store.lastSeal(), await store.unsealed(limit));
  await store.seal(seals);
  return seals;
}

const seqs = (rows: readonly { seq: number }[]) => rows.map(({ seq }) => seq);

describe('rows for the sealer', () => {
  it('are those without a seal, the lowest first, up to the limit', async () => {
    await write(6);
    await sealNext(2);
    expect(seqs(await store.unsealed(LIMIT))).toEqual([3, 4, 5, 6]);
    expect(seqs(await store.unsealed(2))).toEqual([3, 4]);
  });

  it('are found without reading what was sealed before', async () => {
    await write(20_000);
    await sealNext(20_000);
    await database.query('vacuum audit_unsealed');
    await write(3);
    expect(seqs(await store.unsealed(LIMIT))).toEqual([20_001, 20_002, 20_003]);
    expect(await blocksRead(UNSEALED, [LIMIT])).toBeLessThan(30);
  });

  it('that somebody else has sealed meanwhile cannot be sealed again', async () => {
    await write(2);
    const stale = sealAll(await store.lastSeal(), await store.unsealed(LIMIT));
    await sealNext(1);
    await expect(store.seal(stale)).rejects.toMatchObject({ constraint: 'pk_audit_seals' });
  });
});

describe('a search', () => {
  const all = { beforeSeq: null, limit: 10, type: null, actor: null, approvalId: null };

  it('finds a type or its beginning, an actor, and a request, the newest first', async () => {
    const id = '01990000-0000-7000-8000-000000000001';
    await database.query(
      `insert into audit_log (at, type, actor, approval_id, data) values (now(), 'approval.enqueued', 'api:a', $1, '{}'),
        (now(), 'approval.approved', 'api:b', $1, '{}'), (now(), 'approvals', 'api:b', null, '{}')`,
      [id],
    );
    const found = async (search: object) => seqs((await store.search({ ...all, ...search })).items);
    expect(await found({})).toEqual([3, 2, 1]);
    expect(await found({ type: 'approval' })).toEqual([2, 1]);
    expect(await found({ type: 'approval.approved' })).toEqual([2]);
    expect(await found({ actor: 'api:b' })).toEqual([3, 2]);
    expect(await found({ approvalId: id, beforeSeq: 2 })).toEqual([1]);
    expect(await store.search({ ...all, limit: 2 })).toMatchObject({ nextBefore: 2 });
    expect(await store.search(all)).toMatchObject({ nextBefore: null });
  });

  it('looks through a bounded number of rows, and goes on from there', async () => {
    await database.query(
      `insert into audit_log (at, type, actor, data) values (now(), 'rare', 'test', '{}')`,
    );
    await write(60_000);
    await database.query('vacuum analyze audit_log');
    const rare = { ...all, type: 'rare' };
    const first = await store.search(rare);
    expect(first).toEqual({ items: [], nextBefore: 40_002 });
    expect(await blocksRead(SEARCH, [null, 10, 'rare', null])).toBeLessThan(700);
    let { nextBefore } = first;
    const found = [];
    while (nextBefore !== null) {
      const page = await store.search({ ...rare, beforeSeq: nextBefore });
      found.push(...page.items);
      nextBefore = page.nextBefore;
    }
    expect(seqs(found)).toEqual([1]);
  });
});

async function blocksRead({ text }: Statement, values: readonly unknown[]): Promise<number> {
  const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
    `explain (analyze, buffers, format json) ${text}`,
    [...values],
  );
  const plan = row?.['QUERY PLAN'][0].Plan;
  return (plan?.['Shared Hit Blocks'] ?? NaN) + (plan?.['Shared Read Blocks'] ?? NaN);
}
