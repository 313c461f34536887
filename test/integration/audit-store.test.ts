import { sealAll, type Seal } from '../../src/audit/audit-chain';
import { AuditStore, NEW_ROWS } from '../../src/audit/audit-store';
import type { Statement } from '../../src/database/database';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestStore, type OpenStore } from '../support/open-store';

const ALL = 1_000_000;
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
  const seals = sealAll(await store.lastSeal(), await store.unsealed(0, ALL, limit));
  await store.seal(seals);
  return seals;
}

const seqs = (rows: readonly { seq: number }[]) => rows.map(({ seq }) => seq);

describe('rows for the sealer', () => {
  it('without a seal are all that have none, however old, up to the limit', async () => {
    await write(6);
    await sealNext(2);
    await database.query('delete from audit_seals where seq = 1');
    expect(seqs(await store.unsealed(0, ALL, LIMIT))).toEqual([1, 3, 4, 5, 6]);
    expect(seqs(await store.unsealed(0, ALL, 2))).toEqual([1, 3]);
    expect(seqs(await store.unsealed(4, ALL, LIMIT))).toEqual([5, 6]);
    expect(seqs(await store.unsealed(1, 4, LIMIT))).toEqual([3, 4]);
  });

  it('that are new are those above what was seen, and those that were missing below it', async () => {
    await write(6);
    await database.query('delete from audit_log where seq = 2');
    expect(seqs(await store.newRows(4, [2, 3], LIMIT))).toEqual([3, 5, 6]);
    expect(seqs(await store.newRows(4, [2, 3], 2))).toEqual([3, 5]);
    expect(await store.newRows(6, [], LIMIT)).toEqual([]);
  });

  it('that are new are found without looking at what was sealed before', async () => {
    await write(20_000);
    await sealNext(20_000);
    await write(3);
    expect(seqs(await store.newRows(20_000, [], LIMIT))).toEqual([20_001, 20_002, 20_003]);
    expect(await blocksRead(NEW_ROWS, [20_000, [], LIMIT])).toBeLessThan(30);
  });

  it('that somebody else has sealed meanwhile cannot be sealed again', async () => {
    await write(2);
    const stale = sealAll(await store.lastSeal(), await store.newRows(0, [], LIMIT));
    await sealNext(1);
    await expect(store.seal(stale)).rejects.toMatchObject({ constraint: 'pk_audit_seals' });
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
