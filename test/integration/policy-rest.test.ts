import { readReceipt } from '../../src/receipts/verify-receipt';
import { Api, requestBody, type ApprovalJson } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey, keyIs } from '../support/keys';
import { openTestApp, type OpenApp } from '../support/open-app';
import { until } from '../support/until';

const YAML = { 'content-type': 'application/yaml' };

const POLICY = `
version: 1
rules:
  - id: read-git
    decision: allow
    match: { key: "*", tool: [Bash], command: { argv: [git, { any: [status, diff] }] } }
  - id: no-push
    decision: deny
    match: { tool: [Bash], command: { mentions: [[git, push]] } }
    say: Push nothing; open a merge request.
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, apply]] } }
    class: critical
classes:
  critical: { timeout: 1m }
`;

let database: TestDatabase;
let app: OpenApp;
let api: Api;
let admin: string;

beforeEach(async () => {
  database = await createTestDatabase();
  admin = await issueKey(database, 'admin', 'maria', 'maria');
  app = await openTestApp(database.url);
  api = new Api(app.url);
});
afterEach(async () => {
  await app.close();
  await database.drop();
});

interface Answered {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** One call with this key. */
async function call(
  key: string,
  method: string,
  path: string,
  body?: string | object,
  headers: Record<string, string> = {},
): Promise<Answered> {
  const response = await fetch(`${app.url}/api/policy${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(typeof body === 'object' ? { 'content-type': 'application/json' } : body === undefined ? {} : YAML),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const apply = (document: string, replaces: string | null = null, key = admin) =>
  call(key, 'PUT', '', document, replaces === null ? { 'if-none-match': '*' } : { 'if-match': replaces });

async function applied(document = POLICY, replaces: string | null = null): Promise<string> {
  const { status, body } = await apply(document, replaces);
  expect([status, body]).toEqual([
    200,
    { version: body.version, appliedAt: body.appliedAt, by: 'api:maria' },
  ]);
  return body.version as string;
}

const ask = (command: string, more: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
  api.enqueue({ toolInput: { command }, cwd: '/srv/app', ...more }, headers);

const outboxSize = async () =>
  (await database.query<{ n: number }>('select count(*)::int as n from outbox'))[0]?.n;

describe('a request that a rule answers', () => {
  it('is stored approved with its receipt, in the same call and without a card', async () => {
    const version = await applied();
    const { status, body } = await ask('git status');
    expect(status).toBe(201);
    expect(body).toMatchObject({
      status: 'approved',
      decision: { by: { kind: 'policy', id: version, name: 'read-git' }, reason: null },
      policy: { version, decision: 'allow', rules: ['read-git'], class: null, doubt: null },
    });
    expect(body.settledAt).toBe(body.createdAt);
    expect((await api.get(body.id)).body).toEqual(body);
    const { body: keys } = await api.call<{ keys: [] }>(null, 'GET', '/.well-known/jwks.json');
    expect(await readReceipt(body.receipt as string, keys)).toMatchObject({
      approvalId: body.id,
      status: 'approved',
      displayDigest: null,
      decidedBy: { kind: 'policy', id: version, name: 'read-git' },
      policyVersion: version,
      rules: ['read-git'],
    });
    expect(await outboxSize()).toBe(0);
    const audited = await database.query<{ type: string; actor: string }>(
      'select type, actor from audit_log where approval_id = $1 order by seq',
      [body.id],
    );
    expect(audited).toEqual([
      { type: 'approval.enqueued', actor: 'api:bootstrap-agent' },
      { type: 'approval.approved', actor: `policy:${version}` },
    ]);
  });

  it('is stored rejected with the words of the rule', async () => {
    await applied();
    const { body } = await ask('cd /srv && git push --force');
    expect(body).toMatchObject({
      status: 'rejected',
      decision: { by: { kind: 'policy', name: 'no-push' }, reason: 'Push nothing; open a merge request.' },
      policy: { decision: 'deny', rules: ['no-push'] },
    });
  });

  it('is listed, replayed and decided no more, like every other', async () => {
    await applied();
    const headers = { 'idempotency-key': 'once' };
    const { body: first } = await ask('git status', {}, headers);
    const replay = await ask('git status', {}, headers);
    expect([replay.status, replay.headers.get('idempotent-replayed'), replay.body]).toEqual([
      200,
      'true',
      first,
    ]);
    expect((await ask('git diff', {}, headers)).status).toBe(422);
    const { body: page } = await api.call<{ items: ApprovalJson[] }>(
      'agent',
      'GET',
      '/api/approvals?status=approved',
    );
    expect(page.items).toEqual([first]);
    expect((await api.decide(first.id, 'rejected')).status).toBe(409);
    expect((await api.acknowledge(first.id, 'resumed')).body.acknowledged).toBe('resumed');
    expect(await outboxSize()).toBe(0);
  });

  it('answers a call that holds its connection at once', async () => {
    await applied();
    const { status, body } = await api.call('agent', 'POST', '/api/approvals?wait=55', {
      ...requestBody({ toolInput: { command: 'git diff' }, cwd: '/srv/app' }),
    });
    expect([status, body.status]).toEqual([201, 'approved']);
  });

  it('counts once as begun and as ended', async () => {
    await applied();
    await ask('git status');
    await ask('git push');
    const { body } = await api.call<{ approvalStatistics: Record<string, unknown> }>(
      'operator',
      'GET',
      '/api/diagnostics/metrics',
    );
    expect(body.approvalStatistics).toMatchObject({
      escalation_approvals_accepted_total: 1,
      escalation_approvals_rejected_total: 1,
    });
  });
});

describe('a request that no rule answers', () => {
  it('asks a person, with the verdict beside it', async () => {
    const version = await applied();
    const { body } = await ask('rm -rf build');
    expect(body).toMatchObject({
      status: 'pending',
      policy: { version, decision: 'ask', rules: [], class: 'normal', doubt: null },
    });
    expect(await outboxSize()).toBe(0);
  });

  it('says what caused the doubt where a rule might have allowed', async () => {
    await applied();
    const { body } = await ask('git status $(id)');
    expect(body).toMatchObject({ status: 'pending', policy: { decision: 'ask', rules: [] } });
    expect((body.policy as { doubt: string }).doubt).toContain('substitution');
  });

  it('expires at the latest with the timeout of its class', async () => {
    await applied();
    const { body } = await ask('terraform apply', { timeoutSeconds: 600 });
    expect(body).toMatchObject({ status: 'pending', policy: { class: 'critical', rules: ['production'] } });
    expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(60_000);
    const decided = await api.decide(body.id, 'approved');
    const { body: keys } = await api.call<{ keys: [] }>(null, 'GET', '/.well-known/jwks.json');
    expect(await readReceipt(decided.body.receipt as string, keys)).toMatchObject({
      decidedBy: { kind: 'api' },
      rules: ['production'],
    });
  });

  it('has no verdict without a policy', async () => {
    const { body } = await ask('git status');
    expect(body).toMatchObject({ status: 'pending', policy: null });
  });
});

describe('applying a document', () => {
  it('names every fault with its place, and changes nothing', async () => {
    const { status, body } = await apply('version: 1\nrules:\n  - id: x\n    decison: allow\n');
    expect([status, body.code]).toEqual([400, 'policy.invalid']);
    expect((body.findings as { line: number }[]).map(({ line }) => line)).toContain(4);
    expect((await call(admin, 'GET', '')).body).toMatchObject({ version: null, source: null, stopped: null });
  });

  it('is refused over a version that its caller has not seen', async () => {
    const first = await applied();
    const other = `${POLICY}# another\nmode: shadow\n`;
    for (const replaces of [null, `sha256:${'0'.repeat(64)}`])
      expect((await apply(other, replaces)).body).toMatchObject({ status: 412, code: 'policy.stale' });
    const second = await applied(other, first);
    expect(second).not.toBe(first);
    expect((await call(admin, 'PUT', '', POLICY)).body).toMatchObject({
      status: 400,
      errors: [{ path: 'If-Match' }],
    });
  });

  it('returns to an earlier version, and the history has all of it', async () => {
    const first = await applied();
    const second = await applied(`${POLICY}mode: shadow\n`, first);
    const back = await call(admin, 'POST', '/rollback', { version: first }, { 'if-match': second });
    expect(back).toMatchObject({ status: 200, body: { version: first } });
    const { body } = await call(admin, 'GET', '/versions');
    expect(
      (body.items as { version: string; cause: string }[]).map(({ version, cause }) => [version, cause]),
    ).toEqual([
      [first, 'rollback'],
      [second, 'apply'],
      [first, 'apply'],
    ]);
    expect((await call(admin, 'GET', `/versions/${second}`)).body).toMatchObject({
      source: `${POLICY}mode: shadow\n`,
    });
    expect((await call(admin, 'GET', `/versions/sha256:${'1'.repeat(64)}`)).status).toBe(404);
  });

  it('needs a second person where the active version says so', async () => {
    const strict = `${POLICY}changes: { widening: 2 }\n`;
    const first = await applied(strict);
    const wider = strict.replace('[status, diff]', '[status, diff, log]');
    expect((await apply(wider, first)).body).toMatchObject({ status: 403, code: 'policy.second-person' });
    const { status, body: proposal } = await call(admin, 'POST', '/proposals', wider, { 'if-match': first });
    expect(status).toBe(201);
    const path = `/proposals/${String(proposal.id)}/approve`;
    const twin = await issueKey(database, 'admin', 'maria-2', 'Maria');
    const nobody = await issueKey(database, 'admin', 'nobody');
    const sam = await issueKey(database, 'admin', 'sam', 'sam');
    await keyIs(true, app.url, sam);
    for (const key of [admin, twin, nobody])
      expect((await call(key, 'POST', path)).body).toMatchObject({
        status: 403,
        code: 'policy.second-person',
      });
    expect(await call(sam, 'POST', path)).toMatchObject({ status: 200, body: { by: 'api:sam' } });
    expect((await ask('git log')).body.status).toBe('approved');
    expect((await call(sam, 'POST', path)).status).toBe(404);
  });

  it.each(['10 MB', 'a billion laughs', 'a cyclic anchor'])('refuses %s with its place', async (what) => {
    const documents: Record<string, string> = {
      '10 MB': `version: 1\n# ${'x'.repeat(10_000_000)}\nrules: []\n`,
      'a billion laughs': `a: &a [x,x,x,x,x,x,x,x,x]\n${'b c d e f g h i'
        .split(' ')
        .map((name, i) => `${name}: &${name} [${`*${'abcdefgh'[i] ?? ''},`.repeat(9).slice(0, -1)}]`)
        .join('\n')}\n`,
      'a cyclic anchor': 'version: 1\nrules: &r [*r]\n',
    };
    const { status, body } = await apply(documents[what] ?? '');
    expect([400, 413]).toContain(status);
    expect(['policy.invalid', 'request.too-large']).toContain(body.code);
  });
});

it('gives an agent nothing, an observer nothing, and an operator no change', async () => {
  const observer = await issueKey(database, 'observer', 'prometheus');
  await keyIs(true, app.url, observer);
  const routes: [string, string][] = [
    ['GET', ''],
    ['PUT', ''],
    ['GET', '/schema.json'],
    ['GET', '/versions'],
    ['POST', '/check'],
    ['POST', '/evaluate'],
    ['POST', '/rollback'],
    ['POST', '/proposals'],
    ['GET', '/proposals'],
    ['POST', '/stop'],
    ['POST', '/resume'],
  ];
  for (const [method, path] of routes) {
    const body = method === 'GET' ? undefined : '{"version":1,"rules":[]}';
    for (const role of ['agent', null] as const) {
      const answer = await api.call(role, method as 'GET', `/api/policy${path}`, body);
      expect([method, path, answer.status]).toEqual([method, path, role === null ? 401 : 403]);
    }
    const json = { 'content-type': 'application/json' };
    expect((await call(observer, method, path, body, json)).status).toBe(403);
  }
  for (const path of ['/rollback', '/proposals', '/resume'])
    expect((await api.call('operator', 'POST', `/api/policy${path}`, {})).status).toBe(403);
});

it('an admin decides nothing and asks for nothing', async () => {
  const { body } = await ask('ls');
  for (const path of ['', `/${body.id}`, `/${body.id}/decision`, `/${body.id}/cancel`]) {
    const response = await fetch(`${app.url}/api/approvals${path}`, {
      method: path.endsWith(body.id) ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
      ...(path.endsWith(body.id) ? {} : { body: JSON.stringify(requestBody()) }),
    });
    expect(response.status).toBe(403);
  }
});

it('a stop makes everything ask at once, denials stay, and only an admin resumes', async () => {
  await applied();
  const { body: stopped } = await api.call<{ stopped: boolean }>('operator', 'POST', '/api/policy/stop');
  expect(stopped).toEqual({ stopped: true });
  expect((await ask('git status')).body).toMatchObject({
    status: 'pending',
    policy: { decision: 'ask', doubt: 'a person has stopped the rules that allow' },
  });
  expect((await ask('git push')).body.status).toBe('rejected');
  expect((await call(admin, 'POST', '/resume')).body).toEqual({ stopped: false });
  expect((await ask('git status')).body.status).toBe('approved');
});

it('a replica that has heard of no change allows nothing by an old version', async () => {
  const first = await applied();
  const none = 'version: 1\nrules: []\n';
  // As another replica would, without a word to this one.
  await database.query(
    `insert into policy_versions values ('sha256:other', '{"rules":[],"version":1}', $1, now())`,
    [none],
  );
  await database.query(`update policy_state set active_version = 'sha256:other'`);
  const { body } = await ask('git status');
  expect(body).toMatchObject({ status: 'pending', policy: { version: 'sha256:other' } });
  expect(first).not.toBe('sha256:other');
  await database.query('update policy_state set stopped_at = now(), active_version = $1', [first]);
  expect((await ask('git status')).body.status).toBe('pending');
});

it('another replica follows within moments', async () => {
  const other = await openTestApp(database.url);
  try {
    await applied();
    const elsewhere = new Api(other.url);
    await until('it allows there, too', async () => {
      const { body } = await elsewhere.enqueue({ toolInput: { command: 'git status' }, cwd: '/srv/app' });
      return body.status === 'approved';
    });
  } finally {
    await other.close();
  }
});

describe('a replay that reports its progress', () => {
  const lines = { ...YAML, accept: 'application/x-ndjson' };

  async function replay(document: string): Promise<{ status: number; answer: unknown[] }> {
    const headers = { authorization: `Bearer ${admin}`, ...lines };
    const response = await fetch(`${app.url}/api/policy/test?since=1h`, {
      method: 'POST',
      headers,
      body: document,
    });
    const text = await response.text();
    return {
      status: response.status,
      answer: text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    };
  }

  it('has a line for each page, and the result in the last', async () => {
    for (const command of ['git status', 'git push', 'ls']) await api.enqueue({ toolInput: { command } });
    const { status, answer } = await replay(POLICY);
    expect(status).toBe(200);
    expect(answer).toEqual([
      { done: 3, of: 3 },
      expect.objectContaining({ requests: 3, allow: 1, deny: 1, ask: 1, regressions: [] }),
    ]);
  });

  it('has the result alone where there is no history', async () => {
    expect((await replay(POLICY)).answer).toEqual([expect.objectContaining({ requests: 0 })]);
  });

  it('is refused like any other with a document that cannot be read', async () => {
    await api.enqueue({ toolInput: { command: 'ls' } });
    const { status, answer } = await replay('version: 2\nrules: []\n');
    expect(answer.at(-1)).toMatchObject({ code: 'policy.invalid' });
    expect([200, 400]).toContain(status);
  });
});
