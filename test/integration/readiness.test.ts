import { Api, type Answer } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { Scrape } from '../support/scrape';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

interface Health {
  readonly status: string;
  readonly details: Readonly<Record<string, { status: string; reason?: string }>>;
}

let database: TestDatabase;
let wire: TcpProxy;
let app: OpenApp;
let api: Api;

beforeEach(async () => {
  database = await createTestDatabase();
  wire = await startTcpProxy(database.url);
  app = await openTestApp(wire.url);
  api = new Api(app.url);
  await readyWith(200);
});
afterEach(async () => {
  await app.close();
  await wire.close();
  await database.drop();
});

const ready = (): Promise<Answer<Health>> => api.call<Health>(null, 'GET', '/health/ready');

/** Three beats of two seconds, each of which may take two. */
const DOWN_WITHIN_MS = 30_000;

const readyWith = (status: number): Promise<Answer<Health>> =>
  until(
    `ready answers ${status}`,
    async () => {
      const answer = await ready();
      return answer.status === status && answer;
    },
    DOWN_WITHIN_MS,
  );

const reasonIn = ({ body }: Answer<Health>) => body.details.database?.reason;

const reconnect = () =>
  database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name like 'countersign%'`,
  );

it('a database that says nothing: ready answers at once, and says so after three heartbeats; one success is enough', async () => {
  wire.silence();
  const id = '01890000-0000-7000-8000-000000000000';
  const answered: string[] = [];
  const asking = api.get(id).then(() => answered.push('database'));
  await ready();
  answered.push('ready');
  await asking;
  expect(answered).toEqual(['ready', 'database']);
  expect(reasonIn(await readyWith(503))).toBe('the database does not answer');
  expect((await api.call(null, 'GET', '/health/live')).status).toBe(200);
  // As its connections end when it is started anew.
  wire.cut();
  wire.mend();
  await readyWith(200);
}, 90_000);

it('a read-only database: not ready, with the reason, until it can be written again', async () => {
  const name = new URL(database.url).pathname.slice(1);
  await database.query(`alter database ${name} set default_transaction_read_only = on`);
  await reconnect();
  expect(reasonIn(await readyWith(503))).toBe('the database is read-only');
  expect((await Scrape.of(app.url)).value('database_up')).toBe(0);
  await database.query(`alter database ${name} reset default_transaction_read_only`);
  await reconnect();
  await readyWith(200);
}, 90_000);

it('a full disk: not ready, with the reason, until there is room; nobody has to ask anything for that', async () => {
  await database.query(`
    create function no_room() returns trigger language plpgsql as
      $$ begin raise 'could not extend file: No space left on device' using errcode = '53100'; end $$`);
  await database.query(
    'create trigger no_room before insert or update on replicas for each row execute function no_room()',
  );
  expect(reasonIn(await readyWith(503))).toBe('the disk of the database is full');
  expect(app.events.filter(({ event }) => event === 'database.heartbeat-lost')).toHaveLength(1);
  await database.query('drop trigger no_room on replicas');
  await readyWith(200);
  expect(app.events.filter(({ event }) => event === 'database.heartbeat-back')).toHaveLength(1);
}, 90_000);

it('one heartbeat that fails changes nothing', async () => {
  await reconnect();
  const seen = async () =>
    (await database.query<{ at: Date }>('select seen_at as at from replicas'))[0]?.at.getTime() ?? 0;
  const before = await seen();
  await until('the next one is written', async () => {
    expect((await ready()).status).toBe(200);
    return (await seen()) > before;
  });
});

it('an older schema, restored under it: not ready, with what is missing', async () => {
  await database.query(`delete from migrations where name like 'AddReplicas%'`);
  const { body } = await readyWith(503);
  expect(body.details.migrations).toMatchObject({ status: 'down', pending: ['AddReplicas1795464000016'] });
}, 60_000);

it('replicas are listed while they run, and forgotten a day after they were killed', async () => {
  await database.query(
    `insert into replicas values ('killed', '0', now(), now() - interval '2 days'), ('paused', '0', now(), now())`,
  );
  const listed = async () =>
    (await database.query<{ id: string }>('select id from replicas order by id')).map(({ id }) => id);
  await until('the killed one is forgotten', async () => !(await listed()).includes('killed'));
  expect(await listed()).toHaveLength(2);
  const other = await openTestApp(database.url);
  expect(await listed()).toHaveLength(3);
  await other.close();
  expect(await listed()).toHaveLength(2);
});
