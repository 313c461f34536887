import { randomUUID } from 'node:crypto';
import { inputDigest } from '../../src/kernel/canonical-json';
import { Api, requestBody, type ApprovalJson } from '../support/api';
import { issueKey, keyIs } from '../support/keys';
import { openTestApp } from '../support/open-app';
import { ownService } from '../support/own-service';
import { until } from '../support/until';
import { AGENT_KEY, OPERATOR_KEY } from '../support/well-known';

interface ProblemJson {
  readonly type: string;
  readonly status: number;
  readonly code: string;
  readonly correlationId: string;
  readonly approval?: ApprovalJson;
}
interface PageJson {
  readonly items: ApprovalJson[];
  readonly nextCursor: string | null;
}

const service = ownService({ APPROVAL_MAX_PENDING_PER_AGENT: '100000' });

const expireAt = (id: string, fromNow: string) =>
  service.database.query(
    `update approvals set expires_at = date_trunc('milliseconds', now()) + $2::interval where id = $1`,
    [id, fromNow],
  );
const becomeForeign = (id: string) =>
  service.database.query(`update approvals set key_id = 'foreign' where id = $1`, [id]);
const newId = async (more: Record<string, unknown> = {}) => (await service.api.enqueue(more)).body.id;
const problem = (answer: { body: unknown }) => answer.body as ProblemJson;

describe('POST /api/approvals', () => {
  it('answers 201 with the whole approval and where it is', async () => {
    const body = requestBody({
      toolUseId: 'toolu_1',
      summary: 'deploys',
      cwd: '/srv/app',
      timeoutSeconds: 90,
      metadata: { branch: 'main' },
    });
    const {
      status,
      headers,
      body: approval,
    } = await service.api.call('agent', 'POST', '/api/approvals', body);
    expect(status).toBe(201);
    expect(headers.get('location')).toBe(`/api/approvals/${approval.id}`);
    const { timeoutSeconds, ...asked } = body;
    expect(approval).toEqual({
      ...asked,
      id: approval.id,
      status: 'pending',
      requestedBy: { key: 'bootstrap-agent', owner: null },
      inputDigest: inputDigest({
        toolName: 'Bash',
        toolInput: { command: 'npm run deploy' },
        cwd: '/srv/app',
      }),
      createdAt: approval.createdAt,
      expiresAt: new Date(Date.parse(approval.createdAt) + Number(timeoutSeconds) * 1000).toISOString(),
      settledAt: null,
      decision: null,
      reason: null,
      acknowledged: null,
      receipt: null,
      policy: null,
      required: { approvals: 1, rejections: 1, from: [], via: 'any', reason: 'optional' },
      decisions: [],
      claimedBy: null,
      snoozedBy: null,
      extendedBy: null,
      inputErased: null,
    });
    expect((await service.api.get(approval.id)).body).toEqual(approval);
  });

  it('fills in what was left out', async () => {
    const { body } = await service.api.enqueue();
    expect(body).toMatchObject({ toolUseId: null, summary: null, cwd: null, metadata: {} });
    expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(30 * 60_000);
  });

  it('keeps keys and characters that are special elsewhere', async () => {
    const toolInput = '{"__proto__":{"a":1},"constructor":"x","nul":"a\\u0000b","quote":"\\"\\\\"}';
    const text = JSON.stringify(requestBody()).replace(/"toolInput":\{[^}]*\}/, `"toolInput":${toolInput}`);
    const { status, body } = await service.api.call('agent', 'POST', '/api/approvals', text);
    expect(status).toBe(201);
    const again = await service.api.get(body.id);
    expect(JSON.stringify(again.body.toolInput)).toBe(
      '{"__proto__":{"a":1},"constructor":"x","nul":"a\\u0000b","quote":"\\"\\\\"}',
    );
  });

  it('with ?wait holds the answer until the decision', async () => {
    const waiting = service.api.call(
      'agent',
      'POST',
      '/api/approvals?wait=20',
      requestBody({ sessionId: 'held' }),
    );
    const pending = await until('the request is stored', async () => {
      const { body } = await service.api.call<PageJson>('operator', 'GET', '/api/approvals?sessionId=held');
      return body.items[0];
    });
    await service.api.decide(pending.id, 'approved');
    expect(await waiting).toMatchObject({ status: 201, body: { id: pending.id, status: 'approved' } });
  });

  it('with ?wait answers with what stands when the time is up', async () => {
    const { status, body } = await service.api.call('agent', 'POST', '/api/approvals?wait=1', requestBody());
    expect([status, body.status]).toEqual([201, 'pending']);
  });
});

describe('Idempotency-Key', () => {
  const key = () => ({ 'idempotency-key': randomUUID() });

  it('replays the same body with 200, the same approval, and says so', async () => {
    const headers = key();
    const first = await service.api.enqueue({}, headers);
    const second = await service.api.enqueue({}, headers);
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([201, null]);
    expect([second.status, second.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
  });

  it('takes two spellings of one RFC 8785 form for the same body', async () => {
    const headers = key();
    const one = '{"agentId":"a","sessionId":"s","toolName":"T","toolInput":{"x":1.0,"y":"\\u0041"}}';
    const other = '{ "toolInput": {"y":"A", "x":1e0}, "toolName":"T", "sessionId":"s", "agentId":"a" }';
    const first = await service.api.call('agent', 'POST', '/api/approvals', one, headers);
    const second = await service.api.call('agent', 'POST', '/api/approvals', other, headers);
    expect([second.status, second.body.id]).toEqual([200, first.body.id]);
  });

  it.each([
    ['another action', { toolInput: { command: 'rm -rf /' } }],
    ['another timeout', { timeoutSeconds: 5 }],
    ['another summary', { summary: 'x' }],
  ])('refuses %s under the same key with 422, and stores nothing', async (_what, more) => {
    const headers = key();
    await service.api.enqueue({}, headers);
    const refused = await service.api.enqueue(more, headers);
    expect([refused.status, problem(refused).code]).toEqual([422, 'idempotency.body-differs']);
    const [row] = await service.database.query<{ count: number }>(
      `select count(*)::int as count from approvals where idempotency_key = $1`,
      [headers['idempotency-key']],
    );
    expect(row?.count).toBe(1);
  });

  it('gives 50 callers at one time the same approval', async () => {
    const headers = key();
    const answers = await Promise.all(Array.from({ length: 50 }, () => service.api.enqueue({}, headers)));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(49);
  });

  it('replays what was decided meanwhile, and settles by the reading what is overdue', async () => {
    const [decided, overdue] = [key(), key()];
    const first = await service.api.enqueue({}, decided);
    await service.api.decide(first.body.id, 'rejected', 'no');
    expect((await service.api.enqueue({}, decided)).body).toMatchObject({ status: 'rejected' });
    const second = await service.api.enqueue({}, overdue);
    await expireAt(second.body.id, '-1 second');
    expect((await service.api.enqueue({}, overdue)).body).toMatchObject({ status: 'expired' });
  });
});

describe('deciding', () => {
  it('answers with the approval, who decided and why', async () => {
    const id = await newId();
    const { status, body } = await service.api.decide(id, 'rejected', 'too risky\u0000');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id,
      status: 'rejected',
      decision: { by: { kind: 'api', id: 'bootstrap-operator' }, reason: 'too risky\u0000' },
      reason: null,
    });
    expect(Date.parse(body.settledAt ?? '')).not.toBeNaN();
  });

  it('again with the same verdict by the same operator is answered with the same body', async () => {
    const id = await newId();
    const first = await service.api.decide(id, 'approved', 'fine');
    const second = await service.api.decide(id, 'approved', 'another reason');
    expect(second.status).toBe(200);
    expect(second.body).toEqual(first.body);
  });

  it.each([
    ['decided otherwise', (id: string) => service.api.decide(id, 'rejected'), 'rejected'],
    ['cancelled', (id: string) => service.api.cancel(id), 'cancelled'],
    ['expired by the clock, with no sweeper', (id: string) => expireAt(id, '-1 millisecond'), 'expired'],
  ])('is refused when it was %s, with the true state', async (_what, before, status) => {
    const id = await newId();
    await before(id);
    const refused = await service.api.decide(id, 'approved');
    expect(refused.status).toBe(409);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    expect(problem(refused).approval).toMatchObject({ id, status });
    expect((await service.api.get(id)).body).toEqual(problem(refused).approval);
  });
});

describe('cancelling', () => {
  it('by the agent itself is answered with the approval and the reason', async () => {
    const id = await newId();
    const { status, body } = await service.api.cancel(id, 'not needed');
    expect(status).toBe(200);
    expect(body).toMatchObject({ id, status: 'cancelled', reason: 'not needed', decision: null });
  });

  it('again by the same caller is answered with the same body, by another with 409', async () => {
    const id = await newId();
    const first = await service.api.cancel(id, 'not needed');
    const again = await service.api.cancel(id, 'changed my mind');
    expect([again.status, again.body]).toEqual([200, first.body]);
    const other = await service.api.cancel(id, undefined, 'operator');
    expect([other.status, problem(other).approval]).toEqual([409, first.body]);
  });

  it.each([
    ['approved', (id: string) => service.api.decide(id, 'approved'), 'approved'],
    ['expired by the clock', (id: string) => expireAt(id, '-1 millisecond'), 'expired'],
  ])('is refused when it was %s, with the true state', async (_what, before, status) => {
    const id = await newId();
    await before(id);
    const refused = await service.api.cancel(id);
    expect([refused.status, problem(refused).approval?.status]).toEqual([409, status]);
  });
});

describe('erasing the input of a request', () => {
  const SECRET = 'hunter2';
  const asked = () =>
    newId({
      toolInput: { command: `curl -u admin:${SECRET} http://db`, note: '\u0000' },
      ...{
        summary: `logs in with ${SECRET}`,
        cwd: `/srv/${SECRET}`,
        metadata: { [SECRET]: 1 },
        toolUseId: 'toolu_7',
      },
    });
  let admin: string;
  beforeAll(async () => {
    admin = await issueKey(service.database, 'admin', 'maria', 'maria');
    await keyIs(true, service.api.url, admin);
  });
  const erase = (id: string, body: unknown = { reason: 'a password' }, key = admin) =>
    service.api.call(null, 'DELETE', `/api/approvals/${id}/input`, body, { authorization: `Bearer ${key}` });
  const rowsWith = (text: string) =>
    service.database.query(
      `select 'request' as place from approvals where approvals::text like '%' || $1 || '%'
        union all select 'words' from approval_words where words::text like '%' || $1 || '%'
        union all select 'outbox' from outbox where outbox::text like '%' || $1 || '%'
        union all select 'audit' from audit_log where audit_log::text like '%' || $1 || '%'`,
      [text],
    );

  it('leaves nothing that the agent wrote but names, and keeps digest, receipt and a row of the audit log', async () => {
    const id = await asked();
    const { body: before } = await service.api.call('operator', 'POST', `/api/approvals/${id}/decision`, {
      decision: 'approved',
    });
    const { status, body: erased } = await erase(id);
    expect(status).toBe(200);
    expect(erased).toEqual({
      ...before,
      ...{ toolInput: {}, summary: null, cwd: null, metadata: {} },
      inputErased: {
        by: { kind: 'api', id: 'maria', name: 'maria' },
        at: expect.any(String) as string,
        reason: 'a password',
      },
    });
    expect((await service.api.get(id)).body).toEqual(erased);
    expect(await rowsWith(SECRET)).toEqual([]);
    expect(await service.api.list(`q=${SECRET}`)).toEqual([]);
    const rows = await service.database.query(
      `select type, actor, data::json ->> 'reason' as reason, data::json ->> 'inputDigest' as digest from audit_log
        where approval_id = $1 order by seq desc limit 1`,
      [id],
    );
    expect(rows).toEqual([
      { type: 'approval.input-erased', actor: 'api:maria', reason: 'a password', digest: before.inputDigest },
    ]);
  });

  it('happens once: a second erasure answers with the first', async () => {
    const id = await asked();
    await service.api.call('agent', 'POST', `/api/approvals/${id}/cancel`);
    const first = await erase(id);
    expect((await erase(id, { reason: 'another' })).body).toEqual(first.body);
    const [count] = await service.database.query<{ n: string }>(
      `select count(*) as n from audit_log where approval_id = $1 and type = 'approval.input-erased'`,
      [id],
    );
    expect(count?.n).toBe('1');
  });

  it('is refused while people decide by it, to others than admins, and without a reason', async () => {
    const id = await asked();
    const pending = await erase(id);
    expect([pending.status, problem(pending).code]).toEqual([409, 'approval.not-settled']);
    expect((await service.api.get(id)).body.toolInput).toMatchObject({ note: '\u0000' });
    expect((await erase(id, { reason: 'x' }, OPERATOR_KEY)).status).toBe(403);
    expect((await erase(id, { reason: 'x' }, AGENT_KEY)).status).toBe(403);
    expect((await erase(id, {})).status).toBe(400);
    expect((await erase(randomUUID())).status).toBe(404);
  });
});

describe('cancelling without a reason', () => {
  it.each([
    ['no body', undefined, {}],
    ['no body under a type', '', { 'content-type': 'application/json' }],
    ['an empty object', {}, {}],
    ['null for the reason', { reason: null }, {}],
  ])('%s will do', async (_what, body, headers) => {
    const { id } = (await service.api.enqueue()).body;
    const answer = await service.api.call('agent', 'POST', `/api/approvals/${id}/cancel`, body, headers);
    expect([answer.status, answer.body.status, answer.body.reason]).toEqual([200, 'cancelled', null]);
  });
});

describe('reading', () => {
  it('settles an overdue request, one by one and in lists, and says why it ended', async () => {
    const [one, other] = [await newId({ sessionId: 'overdue' }), await newId({ sessionId: 'overdue' })];
    await expireAt(one, '-1 second');
    await expireAt(other, '-1 second');
    const { body } = await service.api.get(one);
    expect(body).toMatchObject({ status: 'expired', decision: null });
    expect(body.reason).toMatch(/^nobody answered within /);
    const list = await service.api.call<PageJson>('agent', 'GET', '/api/approvals?sessionId=overdue');
    expect(list.body.items.map(({ status }) => status)).toEqual(['expired', 'expired']);
    const pending = await service.api.call<PageJson>(
      'agent',
      'GET',
      '/api/approvals?sessionId=overdue&status=pending',
    );
    expect(pending.body.items).toEqual([]);
  });

  it('a list of pending ones leaves out what it found overdue, and a list of expired ones has it', async () => {
    const id = await newId({ sessionId: 'just-over' });
    await expireAt(id, '-1 second');
    const pending = await service.api.call<PageJson>(
      'agent',
      'GET',
      '/api/approvals?sessionId=just-over&status=pending',
    );
    expect(pending.body.items).toEqual([]);
    const expired = await service.api.call<PageJson>(
      'agent',
      'GET',
      '/api/approvals?sessionId=just-over&status=expired',
    );
    expect(expired.body.items.map((item) => item.id)).toEqual([id]);
  });

  it('pages newest first to the end, without a duplicate or a gap', async () => {
    const made: string[] = [];
    for (let n = 0; n < 9; n++) made.push(await newId({ sessionId: 'paged' }));
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const more: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page = await service.api.call<PageJson>(
        'agent',
        'GET',
        `/api/approvals?sessionId=paged&limit=3${more}`,
      );
      seen.push(...page.body.items.map(({ id }) => id));
      cursor = page.body.nextCursor;
      pages++;
    } while (cursor !== null);
    expect(seen).toHaveLength(9);
    expect(new Set(seen)).toEqual(new Set(made));
    expect(pages).toBe(3);
  });

  it('filters by status, agent and session', async () => {
    const id = await newId({ agentId: 'filter-a', sessionId: 'filter-s' });
    await newId({ agentId: 'filter-a' });
    await service.api.decide(id, 'approved');
    const found = await service.api.call<PageJson>(
      'operator',
      'GET',
      '/api/approvals?agentId=filter-a&sessionId=filter-s&status=approved',
    );
    expect(found.body.items.map((item) => item.id)).toEqual([id]);
  });
});

describe('whose request it is', () => {
  const routes = [
    ['GET', '', undefined],
    ['GET', '?wait=1', undefined],
    ['GET', '/events', undefined],
    ['POST', '/cancel', {}],
  ] as const;

  it.each(routes)(
    '%s /api/approvals/:id%s tells an agent nothing about what another key asked',
    async (method, path, body) => {
      const foreign = await newId();
      await becomeForeign(foreign);
      const bodies = [];
      for (const id of [foreign, randomUUID()]) {
        const [route, query] = path.startsWith('?') ? ['', path] : [path, ''];
        const refused = await service.api.call('agent', method, `/api/approvals/${id}${route}${query}`, body);
        expect(refused.status).toBe(404);
        const { correlationId, ...rest } = problem(refused);
        expect(correlationId).not.toBe('');
        bodies.push(rest);
      }
      expect(bodies[0]).toEqual(bodies[1]);
      expect((await service.api.call('operator', 'GET', `/api/approvals/${foreign}`)).body.status).toBe(
        'pending',
      );
    },
  );

  it('lists an agent its own and an operator everything', async () => {
    const [own, foreign] = [await newId({ sessionId: 'whose' }), await newId({ sessionId: 'whose' })];
    await becomeForeign(foreign);
    const list = async (role: 'agent' | 'operator') =>
      (await service.api.call<PageJson>(role, 'GET', '/api/approvals?sessionId=whose')).body.items.map(
        ({ id }) => id,
      );
    expect(await list('agent')).toEqual([own]);
    expect((await list('operator')).sort()).toEqual([own, foreign].sort());
  });
});

describe('the cap on pending requests', () => {
  it('answers 429 with Retry-After', async () => {
    const small = await openTestApp(service.database.url, { APPROVAL_MAX_PENDING_PER_AGENT: '1' });
    try {
      await service.api.enqueue();
      const refused = await new Api(small.url).enqueue();
      expect([refused.status, problem(refused).code]).toEqual([429, 'approval.too-many-pending']);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    } finally {
      await small.close();
    }
  });
});

describe('the correlation id', () => {
  const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
  const idFor = async (headers: Record<string, string>) =>
    (await service.api.enqueue({}, headers)).headers.get('x-correlation-id');

  it('is the one the caller sent', async () => {
    expect(await idFor({ 'x-correlation-id': 'job-42:step/7' })).toBe('job-42:step/7');
  });

  it('is else the trace id of traceparent', async () => {
    expect(await idFor({ traceparent: `00-${TRACE}-00f067aa0ba902b7-01` })).toBe(TRACE);
  });

  it.each([
    { 'x-correlation-id': 'a b' },
    { 'x-correlation-id': 'x'.repeat(129) },
    { traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` },
    { traceparent: 'nonsense' },
    {},
  ])('is made when there is none to be used: %j', async (headers) => {
    expect(await idFor(headers)).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('stands in the problem, in the log, in the audit row', async () => {
    const headers = { 'x-correlation-id': 'follow-me' };
    const refused = await service.api.enqueue({ agentId: '' }, headers);
    expect(problem(refused).correlationId).toBe('follow-me');
    const { body } = await service.api.enqueue({}, headers);
    const [row] = await service.database.query<{ correlation_id: string }>(
      `select correlation_id from audit_log where approval_id = $1`,
      [body.id],
    );
    expect(row?.correlation_id).toBe('follow-me');
  });
});

describe('GET /api/approvals/export', () => {
  it('that fails in the middle is cut off, and the log says so', async () => {
    const oldest = await newId({ sessionId: 'exported' });
    await service.database.query(
      `insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id, created_at, expires_at, status)
       select uuid_v7(now()), key_id, agent_id, session_id, request, input_digest, correlation_id, created_at, expires_at, status
       from approvals, generate_series(1, 250) where id = $1`,
      [oldest],
    );
    await service.database.query(`update approvals set request = '{' where id = $1`, [oldest]);
    const response = await fetch(`${service.app.url}/api/approvals/export`, {
      headers: { authorization: `Bearer ${OPERATOR_KEY}` },
    });
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
    await until('the log', () => service.app.events.some(({ event }) => event === 'export.failed'));
    await service.database.query(`delete from approvals where session_id = 'exported'`);
  });
});
