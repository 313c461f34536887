import { MigrationExecutor } from 'typeorm';
import { createDataSource } from '../../src/database/data-source';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { breaksBetween, readSchema } from '../support/schema-expansion';

/** Changes that look like a break and are not, with the reason. */
const HARMLESS = new Map([
  ['constraint api_keys.ck_api_keys_role is another', 'allows one more role than before'],
  ['constraint outbox.ck_outbox_kind is another', 'allows more kinds than before'],
  ['unique outbox.uq_outbox_work is gone', 'no version since text lanes uses it'],
  ['column outbox.lane is required', 'a trigger fills it for versions that do not write it'],
  ['unique outbox.uq_outbox_lane_work is new', 'follows from uq_outbox_work, which has fewer columns'],
  ['unique grants.uq_grants_approval is new', 'no version makes two grants from one request'],
  ['unique audit_log.uq_audit_log_flood is new', 'covers types that no version before writes'],
  ['unique audit_log.uq_audit_log_too_large is new', 'covers a type that no version before writes'],
]);

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
});
afterAll(() => database.drop());

it('every migration leaves the version before it all that it uses, and demands nothing new of it', async () => {
  const source = createDataSource(database.url, 1);
  await source.initialize();
  const found: string[] = [];
  try {
    const executor = new MigrationExecutor(source);
    const migrations = await executor.getPendingMigrations();
    expect(migrations.length).toBeGreaterThan(1);
    let before = await readSchema(database);
    for (const migration of migrations) {
      await executor.executeMigration(migration);
      const after = await readSchema(database);
      found.push(...breaksBetween(before, after));
      before = after;
    }
  } finally {
    await source.destroy();
  }
  expect([...new Set(found)].toSorted()).toEqual([...HARMLESS.keys()].toSorted());
});

describe('the rule itself', () => {
  it.each([
    ['drop table lanes', ['table lanes is gone']],
    ['alter table cards drop column closed_at', ['column cards.closed_at is gone']],
    ['alter table approvals rename column reason to why', ['column approvals.reason is gone']],
    ['alter table approvals alter column reason set not null', ['column approvals.reason is required']],
    ['alter table outbox alter column attempts type bigint', ['column outbox.attempts is another']],
    [
      'alter table outbox alter column attempts drop default',
      ['column outbox.attempts has no default any more'],
    ],
    ['alter table outbox add column host text not null', ['column outbox.host is required']],
    ['alter table lanes add constraint ck_lanes check (failures < 9)', ['constraint lanes.ck_lanes is new']],
    ['create unique index uq_cards on cards (approval_id)', ['unique cards.uq_cards is new']],
    ['drop index uq_api_keys_digest', ['unique api_keys.uq_api_keys_digest is gone']],
    ['drop function audit_prune(timestamptz)', ['function audit_prune(timestamp with time zone) is gone']],
  ])('names what breaks: %s', async (sql, breaks) => {
    expect(await breaksOf(sql)).toEqual(expect.arrayContaining(breaks));
  });

  it.each([
    'alter table approvals add column priority text',
    'alter table approvals add column priority int not null default 0',
    'alter table outbox drop constraint ck_outbox_kind',
    'create index ix_lanes on lanes (failures)',
    'create table hosts (name text primary key, constraint ck_hosts check (name <> $$$$))',
  ])('lets pass: %s', async (sql) => {
    expect(await breaksOf(sql)).toEqual([]);
  });

  async function breaksOf(sql: string): Promise<string[]> {
    const before = await readSchema(database);
    await database.query('begin');
    try {
      await database.query(sql);
      return breaksBetween(before, await readSchema(database));
    } finally {
      await database.query('rollback');
    }
  }
});
