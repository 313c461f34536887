import { createDataSource } from '../../src/database/data-source';
import { ENTITIES } from '../../src/entities';
import { TABLE_RIGHTS } from '../../src/database/service-rights';
import { migrate, revertMigration } from '../../src/database/migrations';
import { createTestDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ migrated: false });
});
afterEach(() => database.drop());

/** Everything of ours that the database holds: tables, columns, constraints, indexes, functions. */
async function schema(): Promise<string[]> {
  const rows = await database.query<{ what: string }>(`
    select 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' ||
      coalesce(column_default, '') as what from information_schema.columns where table_schema = 'public'
    union all select 'index ' || indexdef from pg_indexes where schemaname = 'public'
    union all select 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
      where connamespace = 'public'::regnamespace and conrelid::regclass::text <> 'migrations'
    union all select 'function ' || proname || ' ' || prosrc from pg_proc where pronamespace = 'public'::regnamespace
    union all select 'sequence ' || sequencename from pg_sequences where schemaname = 'public'`);
  return rows
    .map(({ what }) => what)
    .filter((what) => !/\bmigrations/.test(what))
    .sort();
}

it('the migrations make exactly what the entities say, and the service has rights to every table', async () => {
  await migrate(database.url);
  const source = createDataSource(database.url, 1, { entities: ENTITIES });
  await source.initialize();
  try {
    const log = await source.driver.createSchemaBuilder().log();
    expect(log.upQueries.map(({ query }) => query)).toEqual([]);
    const tables = source.entityMetadatas.map(({ tablePath }) => tablePath);
    expect(Object.keys(TABLE_RIGHTS).sort()).toEqual(tables.sort());
  } finally {
    await source.destroy();
  }
});

it('every migration goes down to what was before it, and up again', async () => {
  const names = await migrate(database.url);
  const full = await schema();
  expect(names.length).toBeGreaterThan(1);
  expect(full.length).toBeGreaterThan(20);

  const reverted: string[] = [];
  const steps: string[][] = [full];
  for (
    let name = await revertMigration(database.url);
    name !== null;
    name = await revertMigration(database.url)
  ) {
    reverted.push(name);
    steps.push(await schema());
  }
  expect(reverted).toEqual([...names].reverse());
  expect(steps.at(-1)).toEqual([]);

  expect(await migrate(database.url)).toEqual(names);
  expect(await schema()).toEqual(full);

  // One step down and up again, with the others in place.
  await revertMigration(database.url);
  expect(await schema()).toEqual(steps[1]);
  await migrate(database.url);
  expect(await schema()).toEqual(full);
});

it('a second run changes nothing', async () => {
  await migrate(database.url);
  expect(await migrate(database.url)).toEqual([]);
});

it('three replicas that migrate at one time run every migration once', async () => {
  const runs = await Promise.all([1, 2, 3].map(() => migrate(database.url)));
  expect(runs.filter((names) => names.length > 0)).toHaveLength(1);
  const applied = await database.query<{ name: string }>(`select name from migrations order by id`);
  expect(applied.map(({ name }) => name)).toEqual(runs.flat());
});

it('the queue of the sealer begins with the rows that an earlier version left without a seal', async () => {
  const QUEUE = 'QueueUnsealedAuditRows1795464000021';
  const names = await migrate(database.url);
  const newer = names.slice(names.indexOf(QUEUE));
  for (let left = newer.length; left > 0; left--) await revertMigration(database.url);
  await database.query(
    `insert into audit_log (at, type, actor, data) select now(), 'test', 'test', '{}' from generate_series(1, 4)`,
  );
  await database.query(`insert into audit_seals values (1, 1, 'before', 'a'), (2, 3, 'a', 'b')`);
  expect(await migrate(database.url)).toEqual(newer);
  await database.query(`insert into audit_log (at, type, actor, data) values (now(), 'test', 'test', '{}')`);
  const queued = await database.query<{ seq: string }>('select seq from audit_unsealed order by seq');
  expect(queued.map(({ seq }) => Number(seq))).toEqual([2, 4, 5]);
});

it('news that the version before cannot compose are gone after its return, and other messages are kept', async () => {
  const NEWS = 'AddStopConfirmations1795464000025';
  const names = await migrate(database.url);
  const newer = names.slice(names.indexOf(NEWS));
  await database.query(
    `insert into outbox (kind, lane, urgency, created_at, available_at, data)
     select 'notice', 'telegram:-1001', -1, now(), now(), data
     from (values ('{"event":"policy-resumed"}'), ('{"fromMs":1,"toMs":2}')) as notices (data)`,
  );
  for (let left = newer.length; left > 0; left--) await revertMigration(database.url);
  const kept = await database.query<{ data: string }>('select data from outbox');
  expect(kept.map(({ data }) => data)).toEqual(['{"fromMs":1,"toMs":2}']);
  expect(await migrate(database.url)).toEqual(newer);
});

it('every constraint and index has a name that we gave it', async () => {
  await migrate(database.url);
  const rows = await database.query<{ name: string }>(`
    select conname as name from pg_constraint
      where connamespace = 'public'::regnamespace and contype <> 'n' and conrelid::regclass::text <> 'migrations'
    union select indexname from pg_indexes where schemaname = 'public' and tablename <> 'migrations'`);
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.map(({ name }) => name).filter((name) => !/^(pk|uq|ix|ck|fk)_[a-z_]+$/.test(name))).toEqual([]);
});

it("the service's role gets what it needs, and no ownership", async () => {
  await migrate(database.url, database.serviceUrl);
  const source = createDataSource(database.serviceUrl, 1);
  await source.initialize();
  try {
    expect(await source.query(`select count(*)::int as n from approvals`)).toEqual([{ n: 0 }]);
    await expect(source.query(`drop table approvals`)).rejects.toThrow(/must be owner/);
    await expect(source.query(`create table mine (x int)`)).rejects.toThrow(/permission denied/);
  } finally {
    await source.destroy();
  }
});
