import { Client } from 'pg';
import type { Finding } from '../../src/cli/doctor/check';
import { auditRightsCheck } from '../../src/cli/doctor/checks/audit-rights';
import { lookAround } from '../../src/cli/doctor/surroundings';
import { parseConfig } from '../../src/config/environment';
import { migrate, revertMigration } from '../../src/database/migrations';
import { createTestDatabase, type TestDatabase } from '../support/database';

const INSUFFICIENT_PRIVILEGE = '42501';
const INVALID_PARAMETER = '22023';
const PRUNE = `select removed from audit_prune(now() - interval '30 days')`;

let database: TestDatabase;
let service: string;

beforeEach(async () => {
  database = await createTestDatabase({ migrated: false });
  service = new URL(database.serviceUrl).username;
});
afterEach(() => database.drop());

async function asService<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: database.serviceUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function databaseName(): Promise<string> {
  const [row] = await database.query<{ name: string }>('select current_database() as name');
  if (row === undefined) throw new Error('the database has no name');
  return row.name;
}

/** Statements that put tables with a trigger before the ones that `audit_prune` means. */
const SHADOW_TABLES = [
  `create temporary table audit_checkpoints (number bigint, hash text)`,
  `create temporary table audit_seals (number bigint, seq bigint, hash text)`,
  `create function pg_temp.forge() returns trigger language plpgsql as $$
   begin
     update public.audit_log set actor = 'forged by ' || current_user;
     return null;
   end $$`,
  `create trigger forge after delete on audit_seals execute function pg_temp.forge()`,
  `grant all on audit_checkpoints, audit_seals to public`,
  `insert into audit_checkpoints values (1, 'x')`,
  `insert into audit_seals values (1, -1, 'x')`,
];

/** Functions that run with the rights of their owner, with the names that their caller could put in the way. */
const securityDefiners = (): Promise<{ name: string; config: string[] | null; everybody: boolean }[]> =>
  database.query(`
    select p.oid::regprocedure::text as name, p.proconfig as config,
      exists (
        select 1 from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        where a.grantee = 0 and a.privilege_type = 'EXECUTE'
      ) as everybody
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where p.prosecdef and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'`);

describe('the role of the service', () => {
  it('finds no function that runs as the owner and looks for names where a caller can put them', async () => {
    await migrate(database.url, database.serviceUrl);
    const found = await securityDefiners();
    expect(found.map(({ name }) => name)).toContain('audit_prune(timestamp with time zone)');
    for (const each of found) {
      expect(each).toMatchObject({ config: ['search_path=pg_catalog, pg_temp'], everybody: false });
    }
  });

  it('does not become the owner by a temporary table in front of an audit table', async () => {
    await migrate(database.url, database.serviceUrl);
    await database.query(
      `insert into audit_log (at, type, actor, data) values (now(), 'test', 'somebody', '{}')`,
    );
    // As it was where PostgreSQL's defaults were left alone.
    const name = await databaseName();
    await database.query(`grant temporary on database ${name} to ${service}`);
    await asService(async (client) => {
      for (const statement of SHADOW_TABLES) await client.query(statement);
      await client.query(PRUNE);
    });
    expect(await database.query('select actor from audit_log')).toEqual([{ actor: 'somebody' }]);
  });

  it('removes no audit row younger than a day, whatever time it names', async () => {
    await migrate(database.url, database.serviceUrl);
    await database.query(`
      with row as (
        insert into audit_log (at, type, actor, data) values (now(), 'test', 'somebody', '{}') returning seq
      ), seal as (
        insert into audit_seals (number, seq, previous, hash) select 1, seq, 'x', 'y' from row
      )
      insert into audit_checkpoints (number, hash, jws, exported_at) values (1, 'y', 'z', now())`);
    await asService(async (client) => {
      for (const before of [`now() - interval '23 hours'`, `'infinity'`]) {
        await expect(client.query(`select from audit_prune(${before})`)).rejects.toMatchObject({
          code: INVALID_PARAMETER,
        });
      }
      await client.query('select from audit_prune(null)');
    });
    expect(await database.query('select actor from audit_log')).toEqual([{ actor: 'somebody' }]);
  });

  it('may neither make temporary tables nor objects in a schema after a start, also where it could before', async () => {
    await database.query(`grant create on schema public to public, ${service}`);
    const name = await databaseName();
    await database.query(`grant create, temporary on database ${name} to ${service}`);
    await migrate(database.url, database.serviceUrl);
    await asService(async (client) => {
      for (const statement of [
        'create temporary table audit_seals (number bigint)',
        'create table audit_more (number bigint)',
        'create function now() returns timestamptz language sql as $$ select null::timestamptz $$',
        'create operator <> (leftarg = text, rightarg = text, function = texteq)',
        `create schema ${new URL(database.url).username}`,
      ]) {
        await expect(client.query(statement)).rejects.toMatchObject({ code: INSUFFICIENT_PRIVILEGE });
      }
      expect((await client.query(PRUNE)).rowCount).toBe(1);
    });
  });

  it.each([
    `select pg_read_file('pg_hba.conf')`,
    `select lo_import('/etc/passwd')`,
    `copy audit_log from program 'true'`,
    `copy audit_log to '/tmp/audit-log'`,
    'create event trigger mine on ddl_command_start execute function pg_catalog.now()',
    'create trigger mine before insert on audit_log execute function pg_catalog.suppress_redundant_updates_trigger()',
    'create rule mine as on insert to audit_log do instead nothing',
    `set session_replication_role = 'replica'`,
    'alter function audit_prune(timestamptz) reset all',
    'create or replace function audit_prune(before timestamptz) returns bigint language sql as $$ select 1::bigint $$',
  ])('may not: %s', async (statement) => {
    await migrate(database.url, database.serviceUrl);
    await asService((client) =>
      expect(client.query(statement)).rejects.toMatchObject({ code: INSUFFICIENT_PRIVILEGE }),
    );
  });
});

describe('countersign doctor', () => {
  async function findings(url = database.serviceUrl): Promise<readonly Omit<Finding, 'check'>[]> {
    const surroundings = await lookAround(parseConfig({ DATABASE_URL: url }), {});
    try {
      return (await auditRightsCheck.examine(surroundings)).findings;
    } finally {
      await surroundings.close();
    }
  }

  it('finds nothing after a start, and one thing where the service has the owner’s role', async () => {
    await migrate(database.url, database.serviceUrl);
    expect(await findings()).toEqual([]);
    expect(await findings(database.url)).toMatchObject([
      {
        severity: 'warning',
        message: expect.stringMatching(/^append-only is not enforced: .* owns/) as string,
      },
    ]);
  });

  it('names each right by which the role could change the audit log, and the statement that takes it back', async () => {
    await migrate(database.url, database.serviceUrl);
    const name = await databaseName();
    await database.query(`grant temporary, create on database ${name} to public`);
    await database.query(`grant create on schema public to public`);
    await database.query(`grant update on audit_log to ${service}`);
    await database.query(`grant trigger on audit_seals to ${service}`);
    const found = await findings();
    expect(found.map(({ message }) => message)).toEqual([
      expect.stringMatching(/has the right temporary, create on the database/),
      expect.stringMatching(/may create objects in schema public/),
      expect.stringMatching(/has update on audit_log, trigger on audit_seals$/),
    ]);
    for (const { fix } of found) {
      const [, statement] = /: (revoke .*)$/.exec(fix) ?? [];
      if (statement !== undefined) await database.query(statement);
    }
    await migrate(database.url, database.serviceUrl);
    expect(await findings()).toEqual([]);
  });

  it('calls a function of the owner that looks into temporary tables an error', async () => {
    await migrate(database.url, database.serviceUrl);
    while ((await revertMigration(database.url)) !== 'QualifyAuditPrune1795464000017');
    expect(await findings()).toMatchObject([
      {
        severity: 'error',
        message: expect.stringMatching(/^audit_prune\(.*runs with its owner's rights/) as string,
      },
    ]);
  });
});
