import { Client } from 'pg';
import { createDataSource } from '../../src/database/data-source';
import { Database } from '../../src/database/database';
import { ReplicaEntity } from '../../src/database/replica.entity';
import { findListeningRoute } from '../../src/database/listening-route';
import { migrate } from '../../src/database/migrations';
import { Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { pgBouncerIsMissing, startPgBouncer, type PgBouncer } from '../support/pgbouncer';
import { cleanUp } from '../support/processes';
import { until } from '../support/until';

/** Fewer than the service has, so that every transaction may run on another one. */
const SERVER_CONNECTIONS = 3;

if (pgBouncerIsMissing()) console.warn('SKIPPED: no PgBouncer here: apt-get install pgbouncer');

(pgBouncerIsMissing() ? describe.skip : describe)('behind PgBouncer in transaction mode, as deployed', () => {
  let database: TestDatabase;
  let empty: TestDatabase;
  let bouncer: PgBouncer;
  let url: string;
  let app: OpenApp;
  let api: Api;
  beforeAll(async () => {
    database = await createTestDatabase();
    empty = await createTestDatabase({ migrated: false });
    bouncer = await startPgBouncer([database.url, empty.url], {
      default_pool_size: String(SERVER_CONNECTIONS),
    });
    url = bouncer.urlOf(database.url);
    app = await openTestApp(url);
    api = new Api(app.url);
  });
  afterAll(async () => {
    await app.close();
    await bouncer.stop();
    await database.drop();
    await empty.drop();
    await cleanUp();
  });

  it('requests are asked and decided, and waiting calls hear of it by the poll; the log says why', async () => {
    const asked = await Promise.all(Array.from({ length: 20 }, () => api.enqueue()));
    const waiting = asked.map(({ body }) => api.get(body.id, 30));
    await Promise.all(asked.map(({ body }) => api.decide(body.id, 'approved')));
    expect((await Promise.all(waiting)).map(({ body }) => body.status)).toEqual(asked.map(() => 'approved'));
    expect(app.events.filter(({ event }) => event === 'database.listen-pooled')).toHaveLength(1);
    expect(app.events.filter(({ event }) => event === 'database.listen-lost')).toEqual([]);
  });

  it('a decision made elsewhere reaches a waiting call', async () => {
    const { body } = await api.enqueue();
    const waiting = api.get(body.id, 30);
    await until('it waits', () => app.feed.size === 1);
    await database.query(
      `update approvals set status = 'cancelled', settled_at = now(), settled_by_kind = 'system',
         settled_by_id = 'test', settled_by_name = 'test' where id = $1`,
      [body.id],
    );
    expect((await waiting).body.status).toBe('cancelled');
  });

  describe('with DATABASE_LISTEN_URL', () => {
    const opened = async (listenUrl: string, work: (other: OpenApp) => Promise<void>) => {
      const other = await openTestApp(url, { DATABASE_LISTEN_URL: listenUrl });
      try {
        await work(other);
      } finally {
        await other.close();
      }
    };

    it('a replica listens on PostgreSQL itself, and hears of a decision on another one', () =>
      opened(database.url, async (other) => {
        const here = new Api(other.url);
        const { id } = (await api.enqueue()).body;
        const waiting = here.get(id, 30);
        await until('it waits', () => other.feed.size === 1);
        await api.decide(id, 'rejected');
        expect((await waiting).body.status).toBe('rejected');
        expect(other.events.map(({ event }) => event)).not.toContain('database.listen-pooled');
        expect(
          await database.query(
            `select 1 from pg_stat_activity where application_name = 'countersign-listener' and datname = current_database()`,
          ),
        ).toHaveLength(1);
      }));

    it('another database is not listened to, and the log says so', () =>
      opened(empty.url, async (other) => {
        const lost = other.events.filter(({ event }) => event === 'database.listen-lost');
        expect(lost).toMatchObject([
          { error: expect.stringContaining('leads to another database') as string },
        ]);
        const here = new Api(other.url);
        const { id } = (await api.enqueue()).body;
        await api.decide(id, 'approved');
        expect((await here.get(id, 30)).body.status).toBe('approved');
      }));
  });

  it('doctor tells which way LISTEN goes', async () => {
    expect(await findListeningRoute(url, url)).toBe('pooled');
    expect(await findListeningRoute(database.url, url)).toBe('direct');
    expect(await findListeningRoute(empty.url, url)).toBe('elsewhere');
  });

  it('a locked approval is refused as busy, and the others are decided', async () => {
    const { id: locked } = (await api.enqueue()).body;
    const { id: other } = (await api.enqueue()).body;
    const bystander = new Client({ connectionString: database.url });
    await bystander.connect();
    await bystander.query('begin');
    await bystander.query('select 1 from approvals where id = $1 for update', [locked]);
    const refused = Array.from({ length: 12 }, () => api.decide(locked, 'approved'));
    expect((await api.decide(other, 'approved')).status).toBe(200);
    for (const { status, body } of await Promise.all(refused)) {
      expect(status).toBe(503);
      expect(body.detail).toMatch(/busy/);
    }
    await bystander.end();
    expect((await api.get(locked)).body.status).toBe('pending');
  });

  it('every transaction has our time limits, and none stays behind on a connection of the pooler', async () => {
    const pool = app.get(Database);
    const limits = {
      name: 'limits',
      text: `select current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement,
        current_setting('idle_in_transaction_session_timeout') as idle, pg_sleep(0.01)`,
    };
    const seen = await Promise.all(
      Array.from({ length: 3 * SERVER_CONNECTIONS }, () => pool.query<{ lock: string }>(limits, [])),
    );
    for (const [row] of seen) expect(row).toMatchObject({ lock: '2s', statement: '30s', idle: '5s' });
    const ofRepository = await pool.rows<ReplicaEntity, unknown>(ReplicaEntity, (rows) =>
      rows.query(limits.text),
    );
    expect(ofRepository).toMatchObject([{ lock: '2s', statement: '30s', idle: '5s' }]);

    const stranger = new Client({ connectionString: url });
    await stranger.connect();
    for (let n = 0; n < 3 * SERVER_CONNECTIONS; n++) {
      const { rows } = await stranger.query(`select current_setting('lock_timeout') as lock`);
      expect(rows).toEqual([{ lock: '0' }]);
    }
    await stranger.end();
  });

  it('what only reads cannot write, and keeps nobody else from it', async () => {
    const source = createDataSource(url, 1, { readOnly: true });
    await source.initialize();
    const write = { name: 'write', text: `update leases set data = data where name = 'none'` };
    try {
      for (let n = 0; n < SERVER_CONNECTIONS; n++)
        await expect(new Database(source).query(write, [])).rejects.toMatchObject({
          cause: { code: '25006' },
        });
      await Promise.all(
        Array.from({ length: 3 * SERVER_CONNECTIONS }, () => app.get(Database).query(write, [])),
      );
    } finally {
      await source.destroy();
    }
  });

  it('migrations run one after the other, and leave no lock in the pooler', async () => {
    const pooled = bouncer.urlOf(empty.url);
    const done = await Promise.all([migrate(pooled), migrate(pooled)]);
    expect(done.filter((names) => names.length > 0)).toHaveLength(1);
    const locks = `select 1 from pg_locks where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())`;
    expect(await empty.query(locks)).toEqual([]);
  });
});
