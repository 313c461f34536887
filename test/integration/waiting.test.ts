import type { ApprovalState } from '../../src/approvals/approval-store';
import type { Clock } from '../../src/kernel/clock';
import { Api, type ApprovalJson, type Answer } from '../support/api';
import { AGENT_KEY } from '../support/app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openEventStream } from '../support/event-stream';
import { FakeClock } from '../support/fake-clock';
import { openTestApp, type OpenApp } from '../support/open-app';
import { startTcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

let database: TestDatabase;
let here: OpenApp;
let there: OpenApp;
let agent: Api;
let operator: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  here = await openTestApp(database.url, { DATABASE_POOL_SIZE: '2' });
  there = await openTestApp(database.url);
  agent = new Api(here.url);
  operator = new Api(there.url);
  await listening(2);
});
afterAll(async () => {
  await here.close();
  await there.close();
  await database.drop();
});

/** The LISTEN connections of this database's replicas, once they listen. */
const listeners = () =>
  database.query<{ pid: number; port: number }>(
    `select pid, client_port as port from pg_stat_activity where datname = current_database()
       and application_name = 'countersign-listener' and query ~* '^(listen|select 1)'`,
  );
const listening = (count: number) =>
  until('the replicas listen', async () => (await listeners()).length === count);

const newId = async (more: Record<string, unknown> = {}) => (await agent.enqueue(more)).body.id;

async function stateOf(id: string): Promise<ApprovalState> {
  const state = await here.store.stateOf(id);
  if (!state) throw new Error('nothing to see');
  return state;
}

/** A waiter at `app` that surely waits. */
async function waiter(
  id: string,
  seconds = 30,
  app = here,
): Promise<{ answered: Promise<Answer<ApprovalJson>> }> {
  const before = app.feed.size;
  const answered = new Api(app.url).get(id, seconds);
  await until('the waiter waits', () => app.feed.size === before + 1);
  return { answered };
}

/** More than anything lasts that is due at some time. */
const LONG_BEFORE_MS = 1_000_000_000;

/**
 * Those who wait at `app` have a clock that stands still, long before anything is due: no time runs out and the poll,
 * which is the safety net, never comes. An answer is that of the event which the test means.
 */
function holdClock(app: OpenApp): FakeClock {
  const clock = new FakeClock();
  clock.advance(-LONG_BEFORE_MS);
  held.push(jest.replaceProperty(app.feed as unknown as { clock: Clock }, 'clock', clock));
  return clock;
}
const held: { restore(): void }[] = [];
afterEach(() => {
  for (const each of held.splice(0)) each.restore();
});

const expireAt = (id: string, fromNow: string) =>
  database.query(
    `update approvals set expires_at = date_trunc('milliseconds', now()) + $2::interval where id = $1`,
    [id, fromNow],
  );

/** For the database, whose time decides. */
const overdue = (id: string) =>
  until('it is overdue', async () => {
    const [row] = await database.query<{ over: boolean }>(
      'select expires_at <= now() as over from approvals where id = $1',
      [id],
    );
    return row?.over;
  });

describe('a waiter', () => {
  it('is answered at once by a decision on another replica', async () => {
    const id = await newId();
    const { answered } = await waiter(id);
    holdClock(here);
    await operator.decide(id, 'approved');
    expect((await answered).body).toMatchObject({ id, status: 'approved' });
  });

  it('is answered at once by a decision on its own replica, with no word from the database', async () => {
    const wire = await startTcpProxy(database.url);
    const known = new Set((await listeners()).map(({ pid }) => pid));
    const alone = await openTestApp(wire.url);
    try {
      const { port } = await until('it listens', () =>
        listeners().then((all) => all.find(({ pid }) => !known.has(pid))),
      );
      const id = await newId();
      holdClock(alone);
      const { answered } = await waiter(id, 30, alone);
      const reads = jest.spyOn(alone.store, 'look');
      wire.freeze(port);
      await new Api(alone.url).decide(id, 'approved');
      const answer = await answered;
      // A replica that finds its connection dead reads anew: that would be an answer too, and a late one.
      expect(reads).not.toHaveBeenCalled();
      expect(answer.body).toEqual((await agent.get(id)).body);
    } finally {
      await Promise.all([alone.close(), wire.close()]);
    }
  });

  it('is answered together with all others of the same request', async () => {
    const id = await newId();
    const waiters = Array.from({ length: 10 }, () => agent.get(id, 30));
    await until('all wait', () => here.feed.size === 10);
    await operator.cancel(id, 'not needed');
    for (const { body } of await Promise.all(waiters)) expect(body.status).toBe('cancelled');
    expect(here.feed.size).toBe(0);
  });

  it('is answered at once when the request is settled already', async () => {
    const id = await newId();
    await operator.decide(id, 'rejected');
    holdClock(here);
    expect((await agent.get(id, 30)).body.status).toBe('rejected');
  });

  it('hears of a settlement that falls between its first read and its waiting', async () => {
    const id = await newId();
    const registered = here.feed.register(id);
    try {
      const seen = await stateOf(id);
      expect(seen.status).toBe('pending');
      await operator.decide(id, 'approved');
      const settled = await registered.settled({
        waitMs: 30_000,
        seen,
        signal: new AbortController().signal,
      });
      expect(settled).toMatchObject({ id, status: 'approved' });
    } finally {
      registered.release();
    }
  });

  it('is answered with what stands when its time is up, and not before', async () => {
    const clock = holdClock(here);
    const [sooner, later] = [await waiter(await newId(), 10), await waiter(await newId(), 30)];
    clock.advance(10_000);
    const first = await sooner.answered;
    expect([first.status, first.body.status]).toEqual([200, 'pending']);
    expect(here.feed.size).toBe(1);
    clock.advance(20_000);
    expect((await later.answered).body.status).toBe('pending');
  });

  it('hears of the expiry as soon as it is due, with no sweep for an hour', async () => {
    const clock = holdClock(here);
    const { body } = await agent.enqueue({ timeoutSeconds: 1 });
    const { answered } = await waiter(body.id);
    await overdue(body.id);
    clock.advance(1_000);
    const answer = await answered;
    expect(answer.body).toMatchObject({ status: 'expired', reason: 'nobody answered within 1 second' });
    expect(Date.parse(answer.body.settledAt ?? '')).toBeGreaterThanOrEqual(Date.parse(body.expiresAt));
  });

  it('is let go when its caller hangs up', async () => {
    const id = await newId();
    const controller = new AbortController();
    const call = fetch(`${here.url}/api/approvals/${id}?wait=30`, {
      headers: { authorization: `Bearer ${AGENT_KEY}` },
      signal: controller.signal,
    });
    await until('the waiter waits', () => here.feed.size === 1);
    controller.abort();
    await expect(call).rejects.toThrow();
    await until('the waiter is gone', () => here.feed.size === 0);
  });
});

describe('200 waiters on two database connections', () => {
  it('hold none of them, and are all answered', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => newId()));
    holdClock(here);
    const waiters: Promise<Answer<ApprovalJson>>[] = [];
    for (const id of ids) {
      // A few at a time: each reads its request first, and a read waits for a connection no longer than five seconds.
      waiters.push(...Array.from({ length: 10 }, () => agent.get(id, 50)));
      await until('all wait', () => here.feed.size === waiters.length);
    }
    expect(waiters).toHaveLength(200);
    // Were the connections held, this would find none within the time limit of the pool.
    expect((await agent.enqueue()).status).toBe(201);
    const [inUse] = await database.query<{ busy: number }>(
      `select count(*)::int as busy from pg_stat_activity
       where datname = current_database() and application_name = 'countersign' and state <> 'idle'`,
    );
    expect(inUse?.busy).toBe(0);
    await Promise.all(ids.map((id) => operator.decide(id, 'approved')));
    for (const { body } of await Promise.all(waiters)) expect(body.status).toBe('approved');
    expect(here.feed.size).toBe(0);
  });
});

describe('when the LISTEN connection is lost', () => {
  it('it is made again, and what was settled meanwhile is read again', async () => {
    const id = await newId();
    const { answered } = await waiter(id, 50);
    const old = new Set((await listeners()).map(({ pid }) => pid));
    // In one statement: no notification of this settlement can reach anybody.
    await database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'countersign-listener'`,
    );
    await operator.decide(id, 'approved');
    expect((await answered).body.status).toBe('approved');
    await until('both replicas listen again', async () => {
      const now = await listeners();
      return now.length === 2 && now.every(({ pid }) => !old.has(pid));
    });

    const next = await newId();
    holdClock(here);
    const again = await waiter(next);
    await operator.decide(next, 'rejected');
    expect((await again.answered).body.status).toBe('rejected');
  });

  it('half-open, with no sign of it, waiters are answered by the poll and the connection is replaced', async () => {
    const wire = await startTcpProxy(database.url);
    const known = new Set((await listeners()).map(({ pid }) => pid));
    const far = await openTestApp(wire.url);
    try {
      const own = () => listeners().then((all) => all.find(({ pid }) => !known.has(pid)));
      const silent = await until('it listens', own);
      const id = await newId();
      const { answered } = await waiter(id, 50, far);
      wire.freeze(silent.port);
      await operator.decide(id, 'approved');
      expect((await answered).body.status).toBe('approved');

      known.add(silent.pid);
      await until('it listens on a new connection', own);
      const next = await newId();
      holdClock(far);
      const again = await waiter(next, 50, far);
      await operator.decide(next, 'rejected');
      expect((await again.answered).body.status).toBe('rejected');
    } finally {
      await Promise.all([far.close(), wire.close()]);
    }
  });
});

describe('the event stream', () => {
  const stream = (id: string) => openEventStream(`${here.url}/api/approvals/${id}/events`, AGENT_KEY);

  it('tells the state now, then the settled one, and ends', async () => {
    const id = await newId();
    const { status, headers, events, ended } = await stream(id);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(headers.get('x-correlation-id')).toMatch(/./);
    await until('the first event', () => events().length === 1);
    await operator.decide(id, 'approved', 'go on');
    await ended;
    expect(events().map(({ event, data }) => [event, data.status])).toEqual([
      ['approval', 'pending'],
      ['approval', 'approved'],
    ]);
    expect(events()[1]?.data).toEqual((await agent.get(id)).body);
    expect(here.feed.size).toBe(0);
  });

  it('of a settled request is one event', async () => {
    const id = await newId();
    await operator.decide(id, 'rejected');
    const { events, ended } = await stream(id);
    await ended;
    expect(events().map(({ data }) => data.status)).toEqual(['rejected']);
  });

  it('of an overdue request is one event: expired', async () => {
    const id = await newId();
    await expireAt(id, '-1 second');
    const { events, ended } = await stream(id);
    await ended;
    expect(events().map(({ data }) => data.status)).toEqual(['expired']);
  });

  it('tells of the expiry as soon as it is due', async () => {
    const clock = holdClock(here);
    const { body } = await agent.enqueue({ timeoutSeconds: 1 });
    const { events, ended } = await stream(body.id);
    await overdue(body.id);
    clock.advance(1_000);
    await ended;
    expect(events().map(({ data }) => data.status)).toEqual(['pending', 'expired']);
  });

  it('lets its waiter go when the reader hangs up', async () => {
    const { hangUp } = await stream(await newId());
    await until('it waits', () => here.feed.size === 1);
    hangUp();
    await until('the waiter is gone', () => here.feed.size === 0);
  });
});

describe('stopping', () => {
  it('answers parked waiters with the request as it stands, and ends their streams', async () => {
    const leaving = await openTestApp(database.url);
    const id = await newId();
    const { answered } = await waiter(id, 50, leaving);
    const { events, ended } = await openEventStream(`${leaving.url}/api/approvals/${id}/events`, AGENT_KEY);
    await until('both wait', () => leaving.feed.size === 2);
    holdClock(leaving);
    await leaving.close();
    const answer = await answered;
    expect([answer.status, answer.body.status]).toEqual([200, 'pending']);
    await ended;
    expect(events().map(({ data }) => data.status)).toEqual(['pending']);
    expect(leaving.feed.size).toBe(0);
  });
});

it('an answer is logged once for all who wait, under the id of the request that asked', async () => {
  const { body } = await agent.enqueue({}, { 'X-Correlation-Id': 'waited-for' });
  const waiting = {
    waitMs: 30_000,
    seen: await stateOf(body.id),
    signal: new AbortController().signal,
  };
  const waiters = [here.feed.register(body.id), here.feed.register(body.id)];
  const answered = Promise.all(waiters.map((each) => each.settled(waiting)));
  await operator.decide(body.id, 'rejected');
  await answered;
  waiters.forEach((each) => each.release());
  const lines = here.events.filter(
    ({ event, approvalId }) => event === 'approval.answered' && approvalId === body.id,
  );
  expect(lines).toMatchObject([{ correlationId: 'waited-for', status: 'rejected', waiters: 2 }]);
});
