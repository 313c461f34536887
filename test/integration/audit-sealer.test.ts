import { AuditSealer } from '../../src/audit/audit-sealer';
import type { AuditCheckpoints } from '../../src/audit/audit-checkpoints';
import { sealAll } from '../../src/audit/audit-chain';
import { AuditStore } from '../../src/audit/audit-store';
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

beforeEach(async () => {
  database = await createTestDatabase();
  replica = await openTestStore(database.url);
  store = new AuditStore(replica.database);
  complaints.length = 0;
  sealer = new AuditSealer(
    store,
    { take: () => Promise.resolve(true), release: () => Promise.resolve() } as unknown as LeaseStore,
    { exportNow: () => undefined, exportIfDue: () => undefined } as unknown as AuditCheckpoints,
    new SystemClock(),
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

const queuedSeqs = async () =>
  (await database.query<{ seq: string }>('select seq from audit_unsealed order by seq')).map(({ seq }) =>
    Number(seq),
  );

/** Rows of other connections that commit right after the sealer has asked the store this, the first time. */
function commitAfter(question: 'lastSeal' | 'unsealed', seqs: readonly number[]): void {
  const ask = (store[question] as (...values: number[]) => Promise<unknown>).bind(store);
  jest.spyOn(store, question).mockImplementationOnce((async (...values: number[]) => {
    const answer = await ask(...values);
    for (const seq of seqs) await write(seq);
    return answer;
  }) as never);
}

it.each(['lastSeal', 'unsealed'] as const)(
  'seals rows below and above the highest that commit right after %s was read, and each once',
  async (question) => {
    for (const seq of [1, 3, 4]) await write(seq);
    commitAfter(question, [2, 5]);
    sealer.onApplicationBootstrap();
    await until('all are sealed', async () => (await sealedSeqs()).length === 5);
    await write(6);
    await until('so is what comes later', async () => (await sealedSeqs()).length === 6);
    expect(await queuedSeqs()).toEqual([]);
    expect(complaints).toEqual([]);
  },
);

it('seals a row however long after a higher number it commits', async () => {
  for (const seq of [1, 1_000_000]) await write(seq);
  sealer.onApplicationBootstrap();
  await until('both are sealed', async () => (await sealedSeqs()).length === 2);
  await write(2);
  await until('the late one is sealed', async () => (await sealedSeqs()).length === 3);
  expect(await store.countUnsealed()).toBe(0);
  expect(complaints).toEqual([]);
});

it('goes on where a replica of an earlier version sealed, which leaves rows in the queue', async () => {
  for (const seq of [1, 2, 3]) await write(seq);
  const rows = await store.unsealed(2);
  for (const { number, seq, previous, hash } of sealAll(await store.lastSeal(), rows))
    await database.query('insert into audit_seals values ($1, $2, $3, $4)', [number, seq, previous, hash]);
  expect(await queuedSeqs()).toEqual([1, 2, 3]);
  sealer.onApplicationBootstrap();
  await until('the last one is sealed', async () => (await sealedSeqs()).length === 3);
  expect(await queuedSeqs()).toEqual([]);
  expect(complaints).toEqual([]);
});
