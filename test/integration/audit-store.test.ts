import { sealAll, type Seal } from '../../src/audit/audit-chain';
import { AuditStore, UNSEALED } from '../../src/audit/audit-store';
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

async function blocksRead({ text }: Statement, values: readonly unknown[]): Promise<number> {
  const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
    `explain (analyze, buffers, format json) ${text}`,
    [...values],
  );
  const plan = row?.['QUERY PLAN'][0].Plan;
  return (plan?.['Shared Hit Blocks'] ?? NaN) + (plan?.['Shared Read Blocks'] ?? NaN);
}
