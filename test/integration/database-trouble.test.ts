import { createDataSource } from '../../src/database/data-source';
import { Database, isUnavailable } from '../../src/database/database';
import { ReplicaEntity } from '../../src/database/replica.entity';
import { Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

let database: TestDatabase;
let wire: TcpProxy;

beforeAll(async () => {
  database = await createTestDatabase();
  wire = await startTcpProxy(database.url);
});
afterAll(async () => {
  await wire.close();
  await database.drop();
});

describe('the service, when the database', () => {
  let app: OpenApp;
  let api: Api;
  beforeAll(async () => {
    app = await openTestApp(wire.url, { DATABASE_POOL_SIZE: '3' });
    api = new Api(app.url);
  });
  afterAll(() => app.close());

  it('ends all its connections, says 503 at most in passing and works on', async () => {
    const { body } = await api.enqueue();
    await database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name like 'countersign%'`,
    );
    const statuses = new Set<number>();
    const answer = await until('it works again', async () => {
      const found = await api.get(body.id);
      statuses.add(found.status);
      return found.status === 200 ? found : null;
    });
    expect(answer.body.id).toBe(body.id);
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect((await api.decide(body.id, 'approved')).status).toBe(200);
  });

  it('is away, answers 503 with a problem and Retry-After, stays alive, is not ready, and comes back by itself', async () => {
    const { body } = await api.enqueue();
    wire.cut();
    for (const answer of [
      await api.enqueue(),
      await api.get(body.id),
      await api.decide(body.id, 'approved'),
      await api.cancel(body.id),
    ]) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.body).toMatchObject({ code: 'database.unavailable', status: 503 });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(JSON.stringify(answer.body)).not.toMatch(/ECONN|postgres|127\.0\.0\.1/);
    }
    expect((await api.call(null, 'GET', '/health/live')).status).toBe(200);
    await until('it is not ready', async () => (await api.call(null, 'GET', '/health/ready')).status === 503);

    wire.mend();
    await until(
      'it is ready again',
      async () => (await api.call(null, 'GET', '/health/ready')).status === 200,
    );
    expect((await api.get(body.id)).body.status).toBe('pending');
    expect((await api.decide(body.id, 'approved')).status).toBe(200);
  });

  it('is away while a waiting request ends, answers the waiter after its return', async () => {
    const { body } = await api.enqueue({ timeoutSeconds: 7 });
    const waiting = api.get(body.id, 50);
    // Registered before its first read, which must be over: a call that fails there does not wait.
    const database = app.get(Database);
    const atRest = () => database.poolUse.idle === database.poolUse.total;
    await until('it waits', () => app.feed.size === 1 && atRest());
    wire.cut();
    await until('the end could not be written', () =>
      app.events.some(({ event }) => event === 'waiters.read-failed'),
    );
    expect(app.feed.size).toBe(1);
    wire.mend();
    expect((await waiting).body).toMatchObject({ id: body.id, status: 'expired' });
  });
});

describe('a statement', () => {
  it('whose connection went silent is given up, and the pool makes a new one', async () => {
    const source = createDataSource(wire.url, 1, { statementTimeoutMs: 500 });
    await source.initialize();
    const pool = new Database(source);
    const ask = { name: 'ask', text: 'select 1 as one' };
    try {
      expect(await pool.query(ask, [])).toEqual([{ one: 1 }]);
      wire.freeze();
      await expect(pool.query(ask, [])).rejects.toMatchObject({ code: 'database.unavailable' });
      expect(await pool.query(ask, [])).toEqual([{ one: 1 }]);
    } finally {
      await source.destroy();
    }
  });

  it('that takes too long is ended by PostgreSQL', async () => {
    const source = createDataSource(database.url, 1, { statementTimeoutMs: 200 });
    await source.initialize();
    try {
      const slow = { name: 'slow', text: 'select pg_sleep(60)' };
      await expect(new Database(source).query(slow, [])).rejects.toMatchObject({
        code: 'database.unavailable',
      });
    } finally {
      await source.destroy();
    }
  });
});

describe('a repository', () => {
  const open = async (url: string, options = {}) => {
    const source = createDataSource(url, 1, { entities: [ReplicaEntity], ...options });
    await source.initialize();
    return { source, pool: new Database(source) };
  };

  it('whose connection went silent is given up, and the pool makes a new one', async () => {
    const { source, pool } = await open(wire.url, { statementTimeoutMs: 500 });
    const count = () => pool.rows(ReplicaEntity, (rows) => rows.countBy({ id: 'none' }));
    try {
      expect(await count()).toBe(0);
      wire.freeze();
      await expect(count()).rejects.toMatchObject({ code: 'database.unavailable' });
      expect(await count()).toBe(0);
    } finally {
      await source.destroy();
    }
  });

  it('that takes too long is ended by PostgreSQL, and a wrong statement is wrong', async () => {
    const { source, pool } = await open(database.url, { statementTimeoutMs: 200 });
    const select = (text: string) =>
      pool.rows(ReplicaEntity, (rows) => rows.createQueryBuilder().select(text).getRawMany());
    try {
      await database.query(`insert into replicas values ('slow', '1', now(), now())`);
      await expect(select('pg_sleep(60)')).rejects.toMatchObject({
        code: 'database.unavailable',
        cause: { code: '57014' },
      });
      const wrong = await select(`'Connection terminated: it has ended'::int`).catch(
        (error: unknown) => error,
      );
      expect(wrong).toMatchObject({ code: '22P02' });
      expect(isUnavailable(wrong)).toBe(false);
    } finally {
      await source.destroy();
    }
  });

  it('is called again when PostgreSQL asks for it, and an error of its caller stays what it is', async () => {
    const { source, pool } = await open(database.url);
    const deadlock = `do $$ begin raise exception using errcode = '40P01'; end $$`;
    const mine = new Error('Connection terminated unexpectedly');
    let calls = 0;
    try {
      const count = await pool.rows(ReplicaEntity, async (rows) => {
        if (++calls === 1) await rows.query(deadlock);
        return rows.countBy({ id: 'none' });
      });
      expect([count, calls]).toEqual([0, 2]);
      await expect(pool.rows(ReplicaEntity, () => Promise.reject(mine))).rejects.toBe(mine);
      expect(pool.poolUse).toMatchObject({ total: 1, idle: 1 });
    } finally {
      await source.destroy();
    }
  });
});

describe('only the driver says that the database is away', () => {
  it.each([
    Object.assign(new Error('connect ECONNREFUSED 149.154.167.220:443'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('no such file'), { code: 'ENOENT' }),
    new Error('Connection terminated unexpectedly'),
    new Error('the response ended early'),
  ])('$message, thrown by what a transaction does besides, stays what it is', async (other) => {
    const source = createDataSource(database.url, 1);
    await source.initialize();
    try {
      const thrown = await new Database(source)
        .transaction(() => Promise.reject(other))
        .catch((error: unknown) => error);
      expect(thrown).toBe(other);
      expect(isUnavailable(thrown)).toBe(false);
    } finally {
      await source.destroy();
    }
  });

  it('and a statement that is wrong is wrong, whatever its message says', async () => {
    const source = createDataSource(database.url, 1);
    await source.initialize();
    try {
      const wrong = { name: 'wrong', text: `select 'Connection terminated: it has ended'::int` };
      await expect(new Database(source).query(wrong, [])).rejects.toMatchObject({ code: '22P02' });
    } finally {
      await source.destroy();
    }
  });
});

describe('a transaction', () => {
  const ONE = {
    name: 'one',
    text: `insert into leases (name, holder, expires_at) values ($1, 'test', now())`,
  };

  it('is all or nothing, and gives its connection back either way', async () => {
    const source = createDataSource(database.url, 1);
    await source.initialize();
    const pool = new Database(source);
    const count = async () =>
      (
        await pool.query<{ n: number }>(
          { name: 'count', text: `select count(*)::int as n from leases where holder = 'test'` },
          [],
        )
      )[0]?.n;
    try {
      await pool.transaction(async (query) => {
        await query(ONE, ['a']);
        await query(ONE, ['b']);
      });
      expect(await count()).toBe(2);
      await expect(
        pool.transaction(async (query) => {
          await query(ONE, ['c']);
          await query(ONE, ['a']);
        }),
      ).rejects.toMatchObject({ code: '23505' });
      expect(await count()).toBe(2);
    } finally {
      await source.destroy();
    }
  });

  it('that PostgreSQL rolls back for a deadlock is done again from the start', async () => {
    const source = createDataSource(database.url, 3);
    await source.initialize();
    const pool = new Database(source);
    const lock = { name: 'lock', text: `update leases set data = data || '.' where name = $1` };
    const tries: string[] = [];
    try {
      for (const name of ['x', 'y']) await pool.query(ONE, [name]);
      // Each takes its first row, waits until the other has its own, and wants the other's: PostgreSQL ends one.
      // That one's second try lets the other through first: it could take its row again before the other wakes.
      let holding = 0;
      let through = 0;
      const cross = async (first: string, second: string) => {
        await pool.transaction(async (query) => {
          tries.push(first);
          if (tries.length > 2) await until('the other is through', () => through === 1);
          await query(lock, [first]);
          holding++;
          await until('both hold one row', () => holding >= 2);
          await query(lock, [second]);
        });
        through++;
      };
      await Promise.all([cross('x', 'y'), cross('y', 'x')]);
      expect(tries.length).toBe(3);
      const rows = await database.query<{ data: string }>(`select data from leases where name in ('x', 'y')`);
      expect(rows.map(({ data }) => data)).toEqual(['{}..', '{}..']);
    } finally {
      await source.destroy();
    }
  });
});
