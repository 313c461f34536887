import { AuditSealer } from '../../src/audit/audit-sealer';
import type { AuditCheckpoints } from '../../src/audit/audit-checkpoints';
import { AuditStore, LOOKED_THROUGH_AT_ONCE } from '../../src/audit/audit-store';
import type { LeaseStore } from '../../src/database/lease-store';
import { SystemClock } from '../../src/kernel/clock';
import type { Log } from '../../src/logging/log';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestStore, type OpenStore } from '../support/open-store';
import { until } from '../support/until';

let database: TestDatabase;
let replica: OpenStore;
let store: AuditStore;
let sealer: AuditSealer;
const complaints: object[] = [];
/** Milliseconds added to every statement. */
let slowness: number;

beforeEach(async () => {
  database = await createTestDatabase();
  replica = await openTestStore(database.url);
  store = new AuditStore(replica.database);
  complaints.length = 0;
  slowness = 0;
  sealer = new AuditSealer(
    store,
    { take: () => Promise.resolve(true), release: () => Promise.resolve() } as unknown as LeaseStore,
    { exportNow: () => undefined, exportIfDue: () => undefined } as unknown as AuditCheckpoints,
    Object.assign(new SystemClock(), { monotonicMs: () => performance.now() + slowness }),
    { event: (...said: object[]) => complaints.push(said) } as unknown as Log,
  );
});
afterEach(async () => {
  await sealer.beforeApplicationShutdown();
  await replica.close();
  await database.drop();
});

const write = (seq: number) =>
  database.query(
    `insert into audit_log (seq, at, type, actor, data) overriding system value values ($1, now(), 'test', 'test', '{}')`,
    [seq],
  );

const sealedSeqs = async () =>
  (await database.query<{ seq: string }>('select seq from audit_seals order by seq')).map(({ seq }) =>
    Number(seq),
  );

/** Rows of other connections that commit right after the sealer has asked the store this, the first time. */
function commitAfter(
  question: 'lastSeal' | 'extent' | 'missing' | 'unsealed',
  seqs: readonly number[],
  afterMs = 0,
): void {
  const ask = (store[question] as (...values: number[]) => Promise<unknown>).bind(store);
  jest.spyOn(store, question).mockImplementationOnce((async (...values: number[]) => {
    const answer = await ask(...values);
    for (const seq of seqs) await write(seq);
    slowness += afterMs;
    return answer;
  }) as never);
}

it.each(['lastSeal', 'extent', 'missing', 'unsealed'] as const)(
  'seals rows below and above the highest that commit while everything is looked through, right after %s, and each once',
  async (question) => {
    for (const seq of [1, 3, 4]) await write(seq);
    commitAfter(question, [2, 5]);
    sealer.onApplicationBootstrap();
    await until('all are sealed', async () => (await sealedSeqs()).length === 5);
    await write(6);
    await until('so is what comes later', async () => (await sealedSeqs()).length === 6);
    expect(complaints).toEqual([]);
  },
);

it('finds what was left out long ago, whatever is new meanwhile', async () => {
  const longAgo = [1, 2, LOOKED_THROUGH_AT_ONCE + 1];
  const newest = 3 * LOOKED_THROUGH_AT_ONCE;
  for (const seq of [...longAgo, newest]) await write(seq);
  commitAfter('unsealed', [newest + 1]);
  sealer.onApplicationBootstrap();
  await until('all are sealed', async () => (await sealedSeqs()).length === 5);
  expect(await store.countUnsealed()).toBe(0);
  expect(complaints).toEqual([]);
});

it('waits for what was missing also when looking through everything took longer than that', async () => {
  for (const seq of [1, 3]) await write(seq);
  commitAfter('unsealed', [2], 150_000);
  sealer.onApplicationBootstrap();
  await until('all are sealed', async () => (await sealedSeqs()).length === 3);
  expect(complaints).toEqual([]);
});
