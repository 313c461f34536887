import { outboxDrained } from '../support/chaos';
import { TelegramRig } from '../support/telegram-rig';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';
import type { Answer, ApprovalJson } from '../support/api';

const POOL_SIZE = 3;

let wire: TcpProxy;
let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start(
    { DATABASE_POOL_SIZE: String(POOL_SIZE), APPROVAL_SWEEP_INTERVAL_SECONDS: '1' },
    { through: async (url) => (wire = await startTcpProxy(url)).url },
  );
  // Sequences are not rolled back: they count failures that leave nothing else behind.
  await rig.database.query(`create sequence troubles`);
  await rig.database.query(`
    create function trouble() returns trigger language plpgsql as $$ begin
      if nextval('troubles') <= TG_ARGV[1]::int then
        raise exception 'made by the test' using errcode = TG_ARGV[0];
      end if;
      return new;
    end $$`);
  await rig.database.query(`
    create function slow() returns trigger language plpgsql as $$ begin
      perform pg_sleep(TG_ARGV[0]::float8);
      return null;
    end $$`);
});
afterAll(async () => {
  await rig.close();
  await wire.close();
});
beforeEach(() => rig.wipe());
afterEach(async () => {
  wire.mend();
  for (const table of ['approvals', 'outbox', 'cards', 'leases'])
    await rig.database.query(`drop trigger if exists trouble on ${table}`);
});

type Event = 'insert' | 'update' | 'delete';

/** The next `times` such changes of the table fail with this SQLSTATE. */
async function trouble(table: string, event: Event, sqlState: string, times: number): Promise<void> {
  await rig.database.query(`alter sequence troubles restart with 1`);
  await rig.database.query(
    `create trigger trouble before ${event} on ${table} for each row execute function trouble('${sqlState}', '${times}')`,
  );
}

/** COMMITs that have changed the table take so long. */
const slowCommit = (table: string, event: Event, seconds: number): Promise<unknown[]> =>
  rig.database.query(
    `create constraint trigger trouble after ${event} on ${table} deferrable initially deferred
     for each row execute function slow('${seconds}')`,
  );

/** By the service's own pool: to PostgreSQL, a connection that is being made is none yet, and an answer on its way was given. */
const poolAtRest = async (): Promise<boolean> => {
  const { body } = await rig.api.call<{ pool: { total: number; idle: number; waiting: number } }>(
    'operator',
    'GET',
    '/api/diagnostics/database',
  );
  return body.pool.idle === body.pool.total && body.pool.waiting === 0;
};

const sleepingCommits = (): Promise<unknown[]> =>
  rig.database.query(
    `select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
  );

function expectUnavailable({ status, body, headers }: Answer<unknown>): void {
  expect(status).toBe(503);
  expect(body).toMatchObject({ code: 'database.unavailable', status: 503 });
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  expect(JSON.stringify(body)).not.toContain('made by the test');
}

const rowsOf = async (sessionId: string): Promise<string[]> => {
  const list = await rig.api.call<{ items: ApprovalJson[] }>(
    'operator',
    'GET',
    `/api/approvals?sessionId=${sessionId}`,
  );
  return list.body.items.map(({ id }) => id);
};

describe('PostgreSQL asks for a transaction again', () => {
  it.each(['40001', '40P01'])('with %s: nobody notices, neither asking nor deciding', async (sqlState) => {
    await trouble('approvals', 'insert', sqlState, 2);
    const approval = await rig.asked();
    await rig.database.query(`drop trigger trouble on approvals`);
    await trouble('approvals', 'update', sqlState, 2);
    expect((await rig.api.decide(approval.id, 'approved')).status).toBe(200);
  });

  it('again and again: 503 in the end, and nothing is half done', async () => {
    await trouble('outbox', 'insert', '40001', 1_000);
    expectUnavailable(await rig.api.enqueue({ sessionId: 'never-half' }));
    expect(await rowsOf('never-half')).toEqual([]);
  });
});

describe('PostgreSQL cannot serve', () => {
  it.each([
    { sqlState: '57P01', what: 'it is being shut down' },
    { sqlState: '57P03', what: 'it is starting' },
    { sqlState: '53300', what: 'too many connections' },
    { sqlState: '25006', what: 'it is read-only' },
    { sqlState: '53100', what: 'the disk is full' },
    { sqlState: '57014', what: 'the statement took too long' },
    { sqlState: '08006', what: 'the connection failed' },
  ])(
    '($sqlState, $what): asking is 503 with Retry-After and leaves nothing; then it works',
    async ({ sqlState }) => {
      const sessionId = `unserved-${sqlState}`;
      await trouble('approvals', 'insert', sqlState, 1);
      expectUnavailable(await rig.api.enqueue({ sessionId }));
      expect(await rowsOf(sessionId)).toEqual([]);
      expect((await rig.api.enqueue({ sessionId })).status).toBe(201);
      expect(await rowsOf(sessionId)).toHaveLength(1);
    },
  );

  it('for a decision: 503, still pending, and the same decision counts afterwards', async () => {
    const { approval, card } = await rig.shown();
    await trouble('approvals', 'update', '57P01', 1);
    expectUnavailable(await rig.api.decide(approval.id, 'approved'));
    expect(await rig.statusOf(approval)).toBe('pending');
    expect((await rig.api.decide(approval.id, 'approved')).status).toBe(200);
    await rig.closed(card);
  });

  it('for a tap: it is delivered again, and counts once', async () => {
    const { approval, card } = await rig.shown();
    await trouble('approvals', 'update', '57P01', 2);
    expect(await rig.chat.press(card.messageId, 'Reject')).toMatchObject({ showAlert: false });
    expect(await rig.statusOf(approval)).toBe('rejected');
    expect(
      await rig.database.query(
        `select type from audit_log where approval_id = $1 and type = 'approval.rejected'`,
        [approval.id],
      ),
    ).toHaveLength(1);
  });

  it('for the sweep: overdue requests expire with a later one', async () => {
    const approval = await rig.asked({ timeoutSeconds: 1 });
    await trouble('approvals', 'update', '57P01', 1);
    await until('it expired', async () => {
      const [row] = await rig.database.query<{ status: string }>(
        `select status from approvals where id = $1`,
        [approval.id],
      );
      return row?.status === 'expired';
    });
  });

  it('for the claim of work: it is told once, and the card comes afterwards', async () => {
    // With other work about, a claim might go well between two that fail.
    await outboxDrained(rig.database);
    const told = rig.events('outbox.failed').length;
    await trouble('outbox', 'update', '57P01', 3);
    const approval = await rig.asked();
    await rig.chat.card(approval.id);
    await rig.worked(approval);
    expect(rig.events('outbox.failed')).toHaveLength(told + 1);
  });

  it('for writing down that a card was sent: it is not sent again', async () => {
    const sends = (await rig.calls('sendMessage')).length;
    await trouble('cards', 'update', '57P01', 3);
    const { approval } = await rig.shown();
    expect(await rig.calls('sendMessage')).toHaveLength(sends + 1);
    expect(await rig.chat.cardsOf(approval.id)).toHaveLength(1);
  });

  it('for writing down that an edit was made: it is made again, to no effect', async () => {
    const { approval, card } = await rig.shown();
    await trouble('cards', 'update', '57P01', 1);
    await rig.api.decide(approval.id, 'approved');
    await rig.worked(approval);
    expect((await rig.closed(card)).edits).toBe(1);
  });

  it('for the lease of the poller: taps count again within its time', async () => {
    const { approval, card } = await rig.shown();
    await trouble('leases', 'update', '57P01', 3);
    await rig.chat.press(card.messageId, 'Approve');
    expect(await rig.statusOf(approval)).toBe('approved');
  });
});

describe('a COMMIT of unknown outcome', () => {
  it('of an enqueue with an Idempotency-Key: asked again, there is one request and one card', async () => {
    const sessionId = 'unknown-commit';
    const key = { 'idempotency-key': 'unknown-commit-1' };
    await slowCommit('approvals', 'insert', 0.5);
    const asking = rig.api.enqueue({ sessionId }, key);
    await until('it commits', async () => (await sleepingCommits()).length > 0);
    wire.cut();
    expectUnavailable(await asking);
    wire.mend();
    await until('the server is done with it', async () => (await sleepingCommits()).length === 0);
    const again = await rig.api.enqueue({ sessionId }, key);
    expect([200, 201]).toContain(again.status);
    expect(await rowsOf(sessionId)).toEqual([again.body.id]);
    await rig.chat.card(again.body.id);
    await rig.worked(again.body);
    expect(await rig.chat.cardsOf(again.body.id)).toHaveLength(1);
  });

  it('of a decision: the same decision again is 200, and it is written down once', async () => {
    const { approval, card } = await rig.shown();
    await slowCommit('approvals', 'update', 0.5);
    const deciding = rig.api.decide(approval.id, 'approved');
    await until('it commits', async () => (await sleepingCommits()).length > 0);
    wire.cut();
    expectUnavailable(await deciding);
    wire.mend();
    await until('the server is done with it', async () => (await sleepingCommits()).length === 0);
    const again = await until('it answers', async () => {
      const answer = await rig.api.decide(approval.id, 'approved');
      return answer.status !== 503 && answer;
    });
    expect(again).toMatchObject({ status: 200, body: { status: 'approved' } });
    expect(
      await rig.database.query(
        `select 1 from audit_log where approval_id = $1 and type = 'approval.approved'`,
        [approval.id],
      ),
    ).toHaveLength(1);
    await rig.closed(card, 20_000);
  });
});

describe('the database is away', () => {
  it('while a waiter waits: the waiter is answered after its return', async () => {
    const { approval } = await rig.shown();
    const waiting = rig.api.get(approval.id, 30);
    await until('it waits', async () =>
      /^escalation_waiters 1$/m.test(await (await fetch(`${rig.app.url}/metrics`)).text()),
    );
    // It is counted before its first read, which must be over: a call that fails there does not wait.
    await until('nothing is asked of the database', poolAtRest);
    wire.cut();
    expectUnavailable(await rig.api.decide(approval.id, 'approved'));
    wire.mend();
    await until('it is ready', async () => (await rig.api.call(null, 'GET', '/health/ready')).status === 200);
    await rig.api.decide(approval.id, 'approved');
    expect((await waiting).body.status).toBe('approved');
  });

  it('and Telegram with it: both are back, and nothing is lost', async () => {
    const { approval, card } = await rig.shown();
    const unseen = await rig.asked();
    await rig.chat.fault({ method: '*', reset: 'before', count: 1_000_000 });
    wire.cut();
    await until('nothing is served', async () => (await rig.api.get(approval.id)).status === 503);
    wire.mend();
    await rig.chat.clearFaults();
    await until('it is ready', async () => (await rig.api.call(null, 'GET', '/health/ready')).status === 200);
    await rig.chat.card(unseen.id, 2, 20_000);
    await rig.chat.press(card.messageId, 'Approve');
    await rig.closed(card);
  });

  it('with more callers than connections, all are served', async () => {
    const asked = await Promise.all(Array.from({ length: 10 * POOL_SIZE }, () => rig.asked()));
    const waiting = asked.map(({ id }) => rig.api.get(id, 30));
    const decided = await Promise.all(asked.map(({ id }) => rig.api.decide(id, 'rejected')));
    expect(new Set(decided.map(({ status }) => status))).toEqual(new Set([200]));
    for (const answer of await Promise.all(waiting)) expect(answer.body.status).toBe('rejected');
  });
});
