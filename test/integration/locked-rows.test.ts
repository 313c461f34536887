import { Client } from 'pg';
import { Database } from '../../src/database/database';
import { Api, type Answer, type ApprovalJson } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

const POOL_SIZE = 3;

let database: TestDatabase;
let wire: TcpProxy;
let app: OpenApp;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  wire = await startTcpProxy(database.url);
  app = await openTestApp(wire.url, { DATABASE_POOL_SIZE: String(POOL_SIZE) });
  api = new Api(app.url);
});
afterAll(async () => {
  // Connections that a test froze answer nothing: their end would be awaited until their time is up.
  wire.cut();
  wire.mend();
  await app.close();
  await wire.close();
  await database.drop();
});

/** Runs the work while a bystander's transaction, which nobody ends, holds what this statement locks. */
async function whileLocked<T>(sql: string, values: readonly unknown[], work: () => Promise<T>): Promise<T> {
  const bystander = new Client({ connectionString: database.url });
  await bystander.connect();
  try {
    await bystander.query('begin');
    await bystander.query(sql, [...values]);
    return await work();
  } finally {
    await bystander.end();
  }
}

const LOCK_APPROVAL = 'select 1 from approvals where id = $1 for update';

function expectBusy(answer: Answer<ApprovalJson>): void {
  expect(answer.status).toBe(503);
  expect(answer.body).toMatchObject({ code: 'database.unavailable' });
  expect(String(answer.body.detail)).toMatch(/busy/);
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
}

const waitingForLocks = (): Promise<{ pid: number }[]> =>
  database.query(
    `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );

describe('while one approval is locked', () => {
  it('a dozen decisions on it take one connection, are refused as busy, and decide nothing', async () => {
    const { id: locked } = (await api.enqueue()).body;
    const { id: other } = (await api.enqueue()).body;
    await whileLocked(LOCK_APPROVAL, [locked], async () => {
      let answeredOnLocked = 0;
      const onLocked = Array.from({ length: 12 }, async () => {
        const answer = await api.decide(locked, 'approved');
        answeredOnLocked++;
        return answer;
      });
      await until('a decision waits for the row', async () => (await waitingForLocks()).length > 0);
      expect((await api.decide(other, 'approved')).body.status).toBe('approved');
      expect(answeredOnLocked).toBe(0);
      expect(await waitingForLocks()).toHaveLength(1);
      for (const answer of await Promise.all(onLocked)) expectBusy(answer);
    });
    expect((await api.get(locked)).body.status).toBe('pending');
    expect((await api.decide(locked, 'rejected')).body.status).toBe('rejected');
  });

  it.each([
    ['cancelling it', (id: string) => api.cancel(id)],
    ['acknowledging it', (id: string) => api.acknowledge(id, 'resumed')],
  ])('%s is refused as busy, and can be repeated', async (_what, act) => {
    const { id } = (await api.enqueue()).body;
    if (_what.startsWith('ack')) await api.decide(id, 'approved');
    await whileLocked(LOCK_APPROVAL, [id], async () => expectBusy(await act(id)));
    expect((await act(id)).status).toBe(200);
  });

  it('others whose time is up end all the same', async () => {
    const ids = await Promise.all(
      [0, 1, 2].map(async () => (await api.enqueue({ timeoutSeconds: 1 })).body.id),
    );
    const [locked = '', ...others] = ids;
    await whileLocked(LOCK_APPROVAL, [locked], async () => {
      const waiting = ids.map((id) => api.get(id, 50));
      const answers = await Promise.all(waiting.slice(1));
      expect(answers.map(({ body }) => body.id)).toEqual(others);
      expect(answers.map(({ body }) => body.status)).toEqual(['expired', 'expired']);
      void waiting[0]?.catch(() => undefined);
    });
    await until('it ends when it is free', async () => (await api.get(locked)).body.status === 'expired');
  });
});

it.each([
  ['lists', '/api/approvals'],
  ['reads', '/api/approvals/00000000-0000-7000-8000-000000000000'],
])('the %s of one agent leave connections to others', async (_what, path) => {
  await whileLocked('lock table approvals in access exclusive mode', [], async () => {
    let answered = 0;
    const calls = Array.from({ length: 10 * POOL_SIZE }, async () => {
      const answer = await api.call('agent', 'GET', path);
      answered++;
      return answer;
    });
    await until('one waits for the table', async () => (await waitingForLocks()).length > 0);
    expect((await api.call('operator', 'GET', '/api/audit')).status).toBe(200);
    expect(answered).toBe(0);
    for (const { status } of await Promise.all(calls)) expect(status).toBe(503);
  });
});

it('a request whose Idempotency-Key is being stored elsewhere is refused as busy; those asked with it are stored', async () => {
  const stuck = `insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id,
      idempotency_key, body_digest, created_at, expires_at)
    select gen_random_uuid(), $2, 'a', 's', '{}', 'd', 'c', $1, '\\x00', now(), now() + interval '1 hour'`;
  await api.enqueue();
  const [asked] = await database.query<{ key_id: string }>('select key_id from approvals limit 1');
  await whileLocked(stuck, ['stuck', asked?.key_id], async () => {
    const stuckOne = api.enqueue({}, { 'idempotency-key': 'stuck' });
    const others = await Promise.all(
      ['a', 'b', 'c'].map((key) => api.enqueue({}, { 'idempotency-key': key })),
    );
    expect(others.map(({ status }) => status)).toEqual([201, 201, 201]);
    expectBusy(await stuckOne);
  });
});

it('a table locked as a whole refuses decisions as busy', async () => {
  const { id } = (await api.enqueue()).body;
  await whileLocked('lock table approvals in access exclusive mode', [], async () => {
    expectBusy(await api.decide(id, 'approved'));
  });
  expect((await api.get(id)).body.status).toBe('pending');
});

describe('people are answered although', () => {
  it('every connection of the pool is taken', async () => {
    const { id } = (await api.enqueue()).body;
    const pool = app.get(Database);
    const sleep = { name: 'sleep', text: 'select pg_sleep(8)' };
    let answered = false;
    // Some give up, since the service works besides.
    const occupy = (): Promise<unknown> => pool.query(sleep, []).catch(() => (answered ? null : occupy()));
    const taken = Array.from({ length: POOL_SIZE }, occupy);
    await until('none is left', async () => {
      const sleeping = await database.query(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
      );
      return sleeping.length === POOL_SIZE;
    });
    let over = false;
    void Promise.race(taken).then(() => (over = true));
    const answer = await api.decide(id, 'approved');
    expect(over).toBe(false);
    expectBusy(answer);
    answered = true;
    await database.query(
      `select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
    );
    await Promise.all(taken);
    expect((await api.get(id)).body.status).toBe('pending');
  }, 30_000);

  it('the database says nothing any more', async () => {
    const { id } = (await api.enqueue()).body;
    wire.freeze();
    const answer = await api.decide(id, 'approved');
    expect(answer.status).toBe(503);
    await until('it works again', async () => (await api.get(id)).status === 200);
  }, 20_000);
});
