import { Agent, request } from 'node:http';
import type { RateLimiterMemory } from 'rate-limiter-flexible';
import { Gatekeeper } from '../../../src/access/gatekeeper';
import { perMinute } from '../../../src/access/process-rate-limits';
import { Api, requestBody, type ApprovalJson } from '../../support/api';
import { issueKey, keyIs } from '../../support/keys';
import { openTestApp } from '../../support/open-app';
import { ownService } from '../../support/own-service';
import { until } from '../../support/until';
import { OPERATOR_KEY } from '../../support/well-known';

const PER_MINUTE = 20;
const DECISIONS_PER_MINUTE = 5;
const FLOOD = 10_000;
const CALLERS = 50;
const BODY = JSON.stringify(requestBody());

const agents: Record<string, Api> = {};
const keys: Record<string, string> = {};
const connections = new Agent({ keepAlive: true, maxSockets: CALLERS });

afterAll(() => connections.destroy());
const service = ownService({
  RATE_LIMIT_AGENT_PER_MINUTE: String(PER_MINUTE),
  RATE_LIMIT_OPERATOR_PER_MINUTE: String(DECISIONS_PER_MINUTE),
  LOG_LEVEL: 'info',
});
beforeAll(async () => {
  for (const name of ['flooder', 'neighbour', 'repeater', 'waiter', 'clicker']) {
    const key = await issueKey(service.database, name === 'clicker' ? 'operator' : 'agent', name);
    await keyIs(true, service.app.url, key);
    keys[name] = key;
    agents[name] = new Api(service.app.url, {
      agent: key,
      operator: name === 'clicker' ? key : OPERATOR_KEY,
    });
  }
});

function the(name: string): Api {
  const api = agents[name];
  if (!api) throw new Error(`nobody is called ${name}`);
  return api;
}

/** With as little work on this side as there can be: what is measured out is a flood. */
function ask(key: string): Promise<{ status: number; seconds: string | undefined }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const call = request(`${service.app.url}/api/approvals`, { method: 'POST', headers, agent: connections });
    call.on('error', reject).on('response', (answer) => {
      answer.resume().on('end', () => {
        resolve({ status: answer.statusCode ?? 0, seconds: answer.headers['retry-after'] });
      });
    });
    call.end(BODY);
  });
}

const storedBy = async (name: string) =>
  (
    await service.database.query<{ count: number }>(
      `select count(*)::int as count from approvals where key_id = $1`,
      [name],
    )
  )[0]?.count;

/** Its time, in minutes. */
async function minuteOfDatabase(): Promise<number> {
  const [row] = await service.database.query<{ minutes: number }>(
    `select extract(epoch from clock_timestamp())::float8 / 60 as minutes`,
  );
  return row?.minutes ?? NaN;
}

const refusalsOf = (actor: string, type: string) =>
  service.database.query<{ data: string; minute: number }>(
    `select data, extract(epoch from at)::float8 / 60 as minute from audit_log
     where actor = $1 and type = $2 order by seq`,
    [actor, type],
  );

/** Uses up what one may do within a minute. */
async function exhaust(api: Api): Promise<ApprovalJson[]> {
  const made: ApprovalJson[] = [];
  for (;;) {
    const { status, body } = await api.enqueue();
    if (status !== 201) return made;
    made.push(body);
  }
}

it('security 17: floods are bounded per agent: 10 000 enqueues: 429 with Retry-After, and other agents unharmed', async () => {
  let left = FLOOD;
  const begin = await minuteOfDatabase();
  const counts: Record<number, number> = {};
  const retryAfter = new Set<string | undefined>();
  const key = keys.flooder ?? '';
  const flooding = async () => {
    while (left-- > 0) {
      const { status, seconds } = await ask(key);
      counts[status] = (counts[status] ?? 0) + 1;
      if (status === 429) retryAfter.add(seconds);
    }
  };
  const flood = Promise.all(Array.from({ length: CALLERS }, flooding));
  for (let n = 0; n < 10; n++) expect((await the('neighbour').enqueue()).status).toBe(201);
  await flood;
  // A window may end while it goes on.
  const windows = Math.ceil((await minuteOfDatabase()) - begin);
  const taken = counts[201] ?? 0;
  expect(taken).toBeGreaterThanOrEqual(PER_MINUTE);
  expect(taken).toBeLessThanOrEqual(windows * PER_MINUTE);
  expect(counts).toEqual({ 201: taken, 429: FLOOD - taken });
  expect(await storedBy('flooder')).toBe(taken);
  for (const seconds of retryAfter) {
    expect(Number(seconds)).toBeGreaterThanOrEqual(1);
    expect(Number(seconds)).toBeLessThanOrEqual(60);
  }
  // Written down, and not ten thousand times: once a minute.
  const rows = await refusalsOf('api:flooder', 'access.rate-limited');
  expect(rows.length).toBeGreaterThanOrEqual(1);
  expect(rows.length).toBeLessThanOrEqual(windows + 1);
});

it('security 17: beyond the limit, reads, waits, cancellations and repetitions go on', async () => {
  const api = the('waiter');
  const key = { 'idempotency-key': 'once' };
  expect((await api.enqueue({}, key)).status).toBe(201);
  const [first] = await exhaust(api);
  const id = first?.id ?? '';
  expect((await api.get(id)).status).toBe(200);
  const waiting = api.get(id, 30);
  await until('it waits', () => service.app.feed.size === 1);
  expect((await api.cancel(id)).status).toBe(200);
  expect((await waiting).body.status).toBe('cancelled');
  const repeated = await api.enqueue({}, key);
  expect([repeated.status, repeated.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
  expect((await api.enqueue({ summary: 'other' }, key)).status).toBe(422);
  expect((await api.enqueue({}, { 'idempotency-key': 'new' })).status).toBe(429);
});

it('security 17: a repetition does not count as a request', async () => {
  const api = the('repeater');
  const key = { 'idempotency-key': 'again' };
  await api.enqueue({}, key);
  for (let n = 0; n < PER_MINUTE; n++) expect((await api.enqueue({}, key)).status).toBe(200);
  expect((await exhaust(api)).length).toBe(PER_MINUTE - 1);
});

it('security 17: decisions are bounded per operator, and other operators unharmed', async () => {
  const ids: string[] = [];
  for (let n = 0; n <= DECISIONS_PER_MINUTE; n++) ids.push((await the('neighbour').enqueue()).body.id);
  const last = ids.pop() ?? '';
  for (const id of ids) expect((await the('clicker').decide(id, 'rejected')).status).toBe(200);
  const refused = await the('clicker').decide(last, 'approved');
  expect([refused.status, refused.body.code]).toEqual([429, 'access.rate-limited']);
  expect(Number(refused.headers.get('retry-after'))).toBe(refused.body.retryAfterSeconds);
  expect((await the('neighbour').get(last)).body.status).toBe('pending');
  // Taking back is no decision, and somebody else's pace is their own.
  expect((await the('clicker').get(last)).status).toBe(200);
  expect((await service.api.decide(last, 'rejected')).status).toBe(200);
  expect(await refusalsOf('api:clicker', 'access.rate-limited')).toHaveLength(1);
});

it('security 17: the cap on pending requests holds under concurrency to within the connections of the pools', async () => {
  const CAP = 20;
  const POOL = 10;
  const capped = await openTestApp(service.database.url, {
    APPROVAL_MAX_PENDING_PER_AGENT: String(CAP),
    DATABASE_POOL_SIZE: String(POOL),
  });
  try {
    const key = await issueKey(service.database, 'agent', 'capped');
    await keyIs(true, capped.url, key);
    const api = new Api(capped.url, { agent: key, operator: OPERATOR_KEY });
    const answers = await Promise.all(Array.from({ length: 200 }, () => api.enqueue()));
    const stored = answers.filter(({ status }) => status === 201).length;
    expect(stored).toBeGreaterThanOrEqual(CAP);
    expect(stored).toBeLessThan(CAP + POOL);
    for (const { status, body } of answers)
      if (status !== 201) expect([status, body.code]).toEqual([429, 'approval.too-many-pending']);
    // And exactly, for whoever asks one after the other.
    expect((await api.enqueue()).status).toBe(429);
  } finally {
    await capped.close();
  }
});

describe('security 17: what has no identity is bounded too', () => {
  it('calls without a valid key are one row a minute, and then "too many"', async () => {
    const call = (key: string | null) =>
      fetch(`${service.app.url}/api/approvals`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
        body: JSON.stringify(requestBody()),
      });
    // So few that they fit into a minute on any machine; the limit of a service is told by its own test.
    jest.replaceProperty(
      service.app.get(Gatekeeper) as unknown as { refused: RateLimiterMemory },
      'refused',
      perMinute(60),
    );
    const begin = await minuteOfDatabase();
    const statuses = new Set<number>();
    for (let n = 0; n < 200; n += CALLERS) {
      const calls = Array.from({ length: CALLERS }, (_, i) => call(i % 2 ? null : `csa_${'x'.repeat(43)}`));
      for (const { status } of await Promise.all(calls)) statuses.add(status);
    }
    expect([...statuses].sort()).toEqual([401, 429]);
    const rows = await refusalsOf('ip:127.0.0.1', 'access.unauthenticated');
    const since = rows.filter(({ minute }) => minute >= begin);
    expect(rows.length).toBeGreaterThanOrEqual(1);
    // One may be of the minute that had begun.
    expect(since.length).toBeLessThanOrEqual(1 + Math.ceil((await minuteOfDatabase()) - begin));
    for (const { data } of rows) expect(data).toMatch(/^\{"method":"(GET|POST)","route":"\/api\/[a-z/]+"\}$/);
    // Who has a key is not held up by those who have none.
    expect((await service.api.enqueue()).status).toBe(201);
  });

  it('every attempt with a key of the wrong role is a row, which names the request', async () => {
    const { body } = await the('neighbour').enqueue();
    const { status } = await the('neighbour').call('agent', 'POST', `/api/approvals/${body.id}/decision`, {
      decision: 'approved',
    });
    expect(status).toBe(403);
    const rows = await service.database.query<{
      actor: string;
      id: string;
      data: string;
      correlation: string;
    }>(
      `select actor, approval_id as id, data, correlation_id as correlation from audit_log
       where type = 'access.forbidden' and approval_id is not null`,
    );
    expect(rows).toMatchObject([{ actor: 'api:neighbour', id: body.id }]);
    expect(JSON.parse(rows[0]?.data ?? '')).toEqual({
      method: 'POST',
      route: '/api/approvals/:id/decision',
      role: 'agent',
    });
    expect(rows[0]?.correlation).toMatch(/./);
  });
});
