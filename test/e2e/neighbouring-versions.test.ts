import { examineAll, type Examined } from '../../src/cli/doctor/examine';
import { parseConfig } from '../../src/config/environment';
import { migrate, revertMigration } from '../../src/database/migrations';
import { keySetSchema } from '../../src/receipts/key-set';
import { readReceipt } from '../../src/receipts/verify-receipt';
import { Api } from '../support/api';
import { asked } from '../support/chaos';
import { createTestDatabase } from '../support/database';
import { callHook, preToolUse } from '../support/hook-client';
import { Service } from '../support/processes';
import { decisionsOf } from '../support/sandbox-client';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { until } from '../support/until';
import { AGENT_KEY, OPERATOR_KEY } from '../support/well-known';

/** The migration of a version that is not written yet. */
const TOMORROW = 'AddTomorrow1999999999999';

let backdrop: Backdrop;
const databases: { drop(): Promise<void> }[] = [];

beforeAll(async () => {
  backdrop = await setBackdrop();
});
afterAll(async () => {
  await strike();
  await Promise.all(databases.map((database) => database.drop()));
});

/** A replica as in production: it serves as a role that owns nothing. */
const serving = (more: Record<string, string> = {}): Record<string, string> => ({
  ...backdrop.environment,
  DATABASE_URL: backdrop.database.serviceUrl,
  ...more,
});

/** Everything that the rules of docs/deployment-guide.md allow a migration, done to every table there is. */
async function migrateToTomorrow(): Promise<void> {
  const { database } = backdrop;
  const tables = await database.query<{ name: string }>(
    `select tablename::text as name from pg_tables where schemaname = 'public' and tablename <> 'migrations'`,
  );
  for (const { name } of tables) {
    await database.query(
      `alter table ${name} add column tomorrow text, add column tomorrows int not null default 1`,
    );
    await database.query(`create index ix_${name}_tomorrow on ${name} (tomorrows)`);
  }
  await database.query(`create table tomorrow (id int constraint pk_tomorrow primary key)`);
  await database.query(`insert into migrations (timestamp, name) values (1999999999999, $1)`, [TOMORROW]);
}

async function waited(api: Api, id: string): Promise<string> {
  return until('it has settled', async () => {
    const { body } = await api.get(id, 20);
    return body.status !== 'pending' && body.status;
  });
}

/** Tries one of each: every kind of ending, the card, the receipt, the hook, the evidence. */
async function everythingWorks(service: Service): Promise<void> {
  const api = new Api(service.url);
  const { chat } = backdrop;
  const { id } = await asked(api);
  const hearing = waited(api, id);
  const { messageId } = await chat.card(id);
  expect(await chat.press(messageId, 'Approve')).toMatchObject({ showAlert: false });
  expect(await hearing).toBe('approved');
  await chat.card(id, 0);
  expect((await api.acknowledge(id, 'resumed')).body.acknowledged).toBe('resumed');
  const keys = keySetSchema.parse(await (await fetch(`${service.url}/.well-known/jwks.json`)).json());
  const { body: approved } = await api.get(id);
  expect(await readReceipt(String(approved.receipt), keys)).toMatchObject({ status: 'approved' });

  const again = { 'idempotency-key': `once-${id}` };
  const { body: rejected } = await api.enqueue({}, again);
  expect((await api.decide(rejected.id, 'rejected')).status).toBe(200);
  expect((await api.enqueue({}, again)).body).toMatchObject({ id: rejected.id, status: 'rejected' });
  const cancelled = await asked(api);
  expect((await api.cancel(cancelled.id)).body.status).toBe('cancelled');
  const short = await asked(api, { timeoutSeconds: 1 });
  expect(await waited(api, short.id)).toBe('expired');

  const command = `echo ${id}`;
  const held = await callHook(
    service.url,
    preToolUse({ tool_use_id: `toolu_${id}`, tool_input: { command } }),
  );
  const card = await chat.find(
    'the card of the hook',
    (message) => message.text.includes(command) && decisionsOf(message).length === 2,
  );
  await chat.press(card.messageId, 'Approve');
  expect((await held.answer).hookSpecificOutput?.permissionDecision).toBe('allow');

  for (const path of [
    'approvals',
    'audit',
    'diagnostics/metrics',
    'diagnostics/outbox',
    'diagnostics/telegram',
  ])
    expect(await api.call('operator', 'GET', `/api/${path}`)).toMatchObject({ status: 200 });
  expect((await api.call<{ ok: boolean }>('operator', 'GET', '/api/audit/verify')).body.ok).toBe(true);
  const { id: lastId } = await asked(api);
  await api.cancel(lastId);
  await until('its log has come this far', () =>
    service.eventsNamed('approval.settled').some(({ approvalId }) => approvalId === lastId),
  );
  expect(service.errors).toEqual([]);
  expect(service.events.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
}

interface Migrations {
  readonly pending: readonly string[];
  readonly unknown: readonly string[];
}

async function diagnosed({ url }: Service): Promise<Migrations | undefined> {
  const { body } = await new Api(url).call<{ migrations: Migrations }>(
    'operator',
    'GET',
    '/api/diagnostics/database',
  );
  return body.migrations;
}

async function readiness({ url }: Service): Promise<{ status: number; migrations: unknown }> {
  const answer = await fetch(`${url}/health/ready`);
  const { details } = (await answer.json()) as { details: { migrations: unknown } };
  return { status: answer.status, migrations: details.migrations };
}

/** Known by the next heartbeat. */
const readinessWith = (status: number, replica: Service) =>
  until(`it is ${status}`, async () => {
    const found = await readiness(replica);
    return found.status === status && found;
  });

describe('a replica of the version before', () => {
  it('goes on while the next version migrates below it, and tells that it did', async () => {
    const replica = await Service.start(serving({ DATABASE_MIGRATION_URL: backdrop.database.url }));
    expect(replica.eventsNamed('database.migrated')).toHaveLength(1);
    // Its connections have prepared every statement for the schema as it was.
    await everythingWorks(replica);
    expect((await readiness(replica)).migrations).toEqual({ status: 'up' });
    await migrateToTomorrow();
    await everythingWorks(replica);
    await until('it has read the newer schema', async () => {
      const { status, migrations } = await readiness(replica);
      expect(status).toBe(200);
      return 'unknown' in (migrations as object);
    });
    expect(await readiness(replica)).toEqual({
      status: 200,
      migrations: { status: 'up', unknown: [TOMORROW] },
    });
    expect(await diagnosed(replica)).toMatchObject({ pending: [], unknown: [TOMORROW] });
    await replica.stop();
  });

  it('starts on the newer schema, which is the way back, and says so in log, health and diagnosis', async () => {
    const replica = await Service.start(serving({ DATABASE_MIGRATION_URL: backdrop.database.url }));
    expect(replica.eventsNamed('database.schema-newer')).toMatchObject([
      { level: 'warn', migrations: [TOMORROW] },
    ]);
    await everythingWorks(replica);
    expect(await readiness(replica)).toMatchObject({ status: 200, migrations: { unknown: [TOMORROW] } });
    expect(await diagnosed(replica)).toMatchObject({ pending: [], unknown: [TOMORROW] });
    const examined: Examined[] = [];
    const keys = { AGENT_API_KEY: AGENT_KEY, OPERATOR_API_KEY: OPERATOR_KEY };
    const found = await examineAll(
      () => parseConfig(serving(keys)),
      { url: replica.url },
      (each) => void examined.push(each),
    );
    expect(found).toEqual([]);
    expect(examined.find(({ check }) => check === 'migrations')?.note).toContain(TOMORROW);
    await replica.stop();
  });

  it('gives nobody a right to what it does not know, though it migrates as the owner', async () => {
    const role = new URL(backdrop.database.serviceUrl).username;
    const rights = await backdrop.database.query(
      `select has_table_privilege($1, 'tomorrow', 'select, insert, update, delete') as any`,
      [role],
    );
    expect(rights).toEqual([{ any: false }]);
  });
});

describe('a schema that is behind', () => {
  it('makes a replica unready with the reason, and ready again when it has caught up', async () => {
    const database = await createTestDatabase();
    databases.push(database);
    await migrate(database.url, database.serviceUrl);
    const environment = serving({ DATABASE_URL: database.serviceUrl });
    const replica = await Service.start(environment);
    expect((await readiness(replica)).status).toBe(200);
    const missing = await revertMigration(database.url);
    expect(await readinessWith(503, replica)).toEqual({
      status: 503,
      migrations: { status: 'down', reason: 'the schema is older than this version', pending: [missing] },
    });
    expect(await diagnosed(replica)).toMatchObject({ pending: [missing], unknown: [] });

    const early = Service.launch(environment);
    expect(await early.ended).toEqual({ code: 1, signal: null });
    expect(early.errors.join('\n')).toContain(`the schema lacks ${missing}`);
    expect(early.errors.join('\n')).toContain('npm run migrate');

    expect(await migrate(database.url, database.serviceUrl)).toEqual([missing]);
    await readinessWith(200, replica);
    await replica.stop();
  });
});
