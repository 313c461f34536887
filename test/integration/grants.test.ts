import { Client } from 'pg';
import { readReceipt } from '../../src/receipts/verify-receipt';
import { Api, type ApprovalJson } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey, keyIs } from '../support/keys';
import { openTestApp, type OpenApp } from '../support/open-app';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

let database: TestDatabase;
let app: OpenApp;
let api: Api;
let admin: string;

beforeEach(async () => {
  database = await createTestDatabase();
  admin = await issueKey(database, 'admin', 'maria', 'maria');
  const operator = await issueKey(database, 'operator', 'olga', 'olga');
  app = await openTestApp(database.url);
  api = new Api(app.url, { agent: AGENT_KEY, operator });
});
afterEach(async () => {
  await app.close();
  await database.drop();
});

interface Offer {
  readonly id: string;
  readonly scope: string;
  readonly covered: number;
}

const ask = async (command: string, more: Record<string, unknown> = {}): Promise<ApprovalJson> => {
  const { status, body } = await api.enqueue({ toolInput: { command }, cwd: '/srv/shop', ...more });
  expect(status).toBe(201);
  return body;
};

const asOperator = <Body>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) =>
  api.call<Body>('operator', method, path, body);

async function offersOf(id: string): Promise<readonly Offer[]> {
  const { status, body } = await asOperator<{ offers: Offer[] }>('GET', `/api/approvals/${id}/grant-offers`);
  expect(status).toBe(200);
  return body.offers;
}

/** Approves the request with the offer whose words these are. */
async function grant(id: string, words: string, more: object = {}) {
  const offer = (await offersOf(id)).find(({ scope }) => scope.includes(words));
  if (!offer) throw new Error(`no offer "${words}"`);
  return asOperator<Record<string, unknown>>('POST', '/api/grants', {
    approvalId: id,
    offer: offer.id,
    ...more,
  });
}

const openGrants = async () =>
  (await asOperator<{ items: Record<string, unknown>[] }>('GET', '/api/grants')).body.items;

it('answers the next requests of its kind without a card, with the grant and its maker in each receipt', async () => {
  const first = await ask('npm run test');
  const { status, body } = await grant(first.id, 'npm run test');
  expect([status, body]).toEqual([
    201,
    {
      id: expect.any(String) as string,
      scope: 'npm run test in /srv/shop',
      expiresAt: expect.any(String) as string,
      usesLeft: null,
      by: { kind: 'api', id: 'olga', name: 'olga' },
    },
  ]);
  expect((await api.get(first.id)).body).toMatchObject({
    status: 'approved',
    decision: { by: { kind: 'api', id: 'olga' } },
  });
  const name = 'npm run test in /srv/shop (granted by olga)';
  for (let use = 1; use <= 4; use++) {
    const next = await ask('npm run test');
    expect(next).toMatchObject({
      status: 'approved',
      decision: { by: { kind: 'grant', id: body.id, name }, reason: null },
    });
    expect(await openGrants()).toMatchObject([{ id: body.id, uses: use }]);
    const { body: keys } = await api.call<{ keys: [] }>(null, 'GET', '/.well-known/jwks.json');
    expect(await readReceipt(next.receipt as string, keys)).toMatchObject({
      decidedBy: { kind: 'grant', id: body.id, name },
      grantId: body.id,
      grantedBy: { kind: 'api', id: 'olga', name: 'olga' },
      displayDigest: null,
    });
    const audited = await database.query<{ type: string; actor: string }>(
      'select type, actor from audit_log where approval_id = $1 order by seq',
      [next.id],
    );
    expect(audited).toMatchObject([
      { type: 'approval.enqueued' },
      { type: 'approval.approved', actor: `grant:${String(body.id)}` },
    ]);
  }
  expect((await ask('npm run lint')).status).toBe('pending');
});

it.each([
  ['another session', 'npm run test', { sessionId: 'another' }],
  ['another directory', 'npm run test', { cwd: '/srv/other' }],
  ['another tool', 'npm run test', { toolName: 'Shell' }],
  ['more words', 'npm run test -- --config=/tmp/x.js', {}],
  ['another command behind it', 'npm run test; id', {}],
])('asks a person for %s', async (_, command, more) => {
  await grant((await ask('npm run test')).id, 'npm run test');
  expect((await ask(command, more)).status).toBe('pending');
});

it('settles the requests of the session that wait and that it covers, at once', async () => {
  const asked = await Promise.all([
    ask('git status'),
    ask('git diff'),
    ask('git log -3'),
    ask('git push'),
    ask('git diff', { sessionId: 'another' }),
  ]);
  const [first, diff, log, push, other] = asked;
  const waiting = api.get(diff.id, 20);
  const { body } = await grant(first.id, 'git status|diff');
  expect((await waiting).body).toMatchObject({
    status: 'approved',
    decision: { by: { kind: 'grant', id: body.id } },
  });
  expect((await api.get(log.id)).body.status).toBe('approved');
  expect((await api.get(push.id)).body.status).toBe('pending');
  expect((await api.get(other.id)).body.status).toBe('pending');
  expect(await openGrants()).toMatchObject([{ uses: 2 }]);
});

it('says what each scope would have covered', async () => {
  for (const command of ['npm run test', 'npm run test', 'npm run lint']) await ask(command);
  const pending = await ask('npm run test', { toolInput: { command: 'npm run test', description: 'Run' } });
  expect(await offersOf(pending.id)).toMatchObject([
    { scope: 'this exact action', covered: 0 },
    { scope: 'npm run test in /srv/shop', covered: 2 },
  ]);
});

describe('a grant ends', () => {
  const isUsed = async (more: Record<string, unknown> = {}) =>
    (await ask('npm run test', more)).status === 'approved';

  it('after its uses, the requests that it settled at once among them', async () => {
    const first = await ask('npm run test');
    await ask('npm run test');
    const { body } = await grant(first.id, 'npm run test', { uses: 3 });
    expect(body.usesLeft).toBe(2);
    expect([await isUsed(), await isUsed(), await isUsed()]).toEqual([true, true, false]);
    expect(await openGrants()).toEqual([]);
  });

  it('at its time', async () => {
    await grant((await ask('npm run test')).id, 'npm run test', { seconds: 3600 });
    expect(await isUsed()).toBe(true);
    await database.query(`update grants set made_at = made_at - interval '1 hour', expires_at = now()`);
    expect(await isUsed()).toBe(false);
  });

  it('when somebody revokes it', async () => {
    const { body } = await grant((await ask('npm run test')).id, 'npm run test');
    expect((await asOperator('DELETE', `/api/grants/${String(body.id)}`)).status).toBe(204);
    expect(await isUsed()).toBe(false);
    expect(await asOperator('DELETE', `/api/grants/${String(body.id)}`)).toMatchObject({
      status: 404,
      body: { code: 'grant.not-found' },
    });
  });

  it('with a rejection in its session, and not with one in another', async () => {
    await grant((await ask('npm run test')).id, 'npm run test');
    const reject = async (more: Record<string, unknown>) => {
      const { id } = await ask('rm -rf build', more);
      await asOperator('POST', `/api/approvals/${id}/decision`, { decision: 'rejected' });
    };
    await reject({ sessionId: 'another' });
    expect(await isUsed()).toBe(true);
    await reject({});
    expect(await isUsed()).toBe(false);
    const [row] = await database.query<{ actor: string; data: string }>(
      `select actor, data from audit_log where type = 'grant.revoked'`,
    );
    expect(row).toMatchObject({ actor: 'api:olga', data: expect.stringContaining('"rejection"') as string });
  });

  it('with another policy version, with a stop, and never where a rule asks or denies', async () => {
    const policy = (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
      fetch(`${app.url}/api/policy${path}`, {
        method,
        headers: {
          authorization: `Bearer ${admin}`,
          ...(body ? { 'content-type': 'application/yaml' } : {}),
          ...headers,
        },
        ...(body ? { body } : {}),
      });
    const asks = `{ id: tests, decision: ask, match: { command: { mentions: [[npm, run, test]] } } }`;
    await grant((await ask('npm run test')).id, 'npm run test');
    const applied = await policy('PUT', '', 'version: 1\nrules: []\n', { 'if-none-match': '*' });
    const { version } = (await applied.json()) as { version: string };
    expect(applied.status).toBe(200);
    expect(await isUsed()).toBe(false);
    await grant((await ask('npm run test')).id, 'npm run test');
    expect(await isUsed()).toBe(true);
    await policy('POST', '/stop');
    expect(await isUsed()).toBe(false);
    await policy('POST', '/resume');
    expect(await isUsed()).toBe(true);
    await policy('PUT', '', `version: 1\nrules:\n  - ${asks}\n`, { 'if-match': version });
    const asked = await ask('npm run test');
    expect(asked.status).toBe('pending');
    expect(await offersOf(asked.id)).toEqual([]);
  });
});

it('is not offered for a question of the agent, which an approval does not answer', async () => {
  const { id } = await ask('', { toolName: 'AskUserQuestion', toolInput: { questions: [] } });
  expect(await offersOf(id)).toEqual([]);
});

describe('for a directory', () => {
  const place = 'cwd';

  it('answers every session of its key there, and settles those that wait, but none in another directory', async () => {
    const first = await ask('npm run test');
    const waits = await ask('npm run test', { sessionId: 'another' });
    const { body } = await grant(first.id, 'this exact action', { place });
    expect((await api.get(waits.id)).body.status).toBe('approved');
    expect((await ask('npm run test', { sessionId: 'a third' })).decision?.by).toMatchObject({ id: body.id });
    expect(await openGrants()).toMatchObject([{ sessionId: null, cwd: '/srv/shop', uses: 2 }]);
    expect((await ask('npm run test', { cwd: '/srv/other' })).status).toBe('pending');
  });

  it('does not end with a session, or with a rejection elsewhere, but with one there', async () => {
    const cwd = '/srv/"quoted" \\ shop\u0000';
    const isUsed = async () => (await ask('true', { cwd, sessionId: 'another' })).status === 'approved';
    const reject = async (more: Record<string, unknown>) =>
      asOperator('POST', `/api/approvals/${(await ask('rm -rf build', more)).id}/decision`, {
        decision: 'rejected',
      });
    expect((await grant((await ask('true', { cwd })).id, 'this exact action', { place })).status).toBe(201);
    expect(await isUsed()).toBe(true);
    const end = { hook_event_name: 'SessionEnd', session_id: 'session-1', reason: 'exit', cwd };
    expect((await api.call('agent', 'POST', '/connectors/claude-code/hook', end)).status).toBe(200);
    await reject({});
    expect(await isUsed()).toBe(true);
    await reject({ cwd, sessionId: 'a third' });
    expect(await isUsed()).toBe(false);
    expect(await openGrants()).toEqual([]);
  });

  it('is refused for a request that names none', async () => {
    const { id } = await ask('npm run test', { cwd: null });
    const [exact] = await offersOf(id);
    expect(
      await asOperator('POST', '/api/grants', { approvalId: id, offer: exact?.id, place }),
    ).toMatchObject({
      status: 409,
      body: { code: 'grant.not-permitted', detail: expect.stringContaining('names no directory') as string },
    });
  });
});

describe('from a request that ended before anybody decided', () => {
  const allowOnce = (id: string) => asOperator('POST', `/api/approvals/${id}/late-grant`);
  const expire = (id: string) =>
    database.query(`update approvals set expires_at = now() where id = $1`, [id]);

  it('answers exactly its action once, within an hour, in any session of its directory', async () => {
    const { id } = await ask('npm run test');
    await expire(id);
    const { status, body } = await allowOnce(id);
    expect([status, body]).toEqual([
      201,
      expect.objectContaining({ scope: 'this exact action', usesLeft: 1 }),
    ]);
    expect((await ask('npm run lint')).status).toBe('pending');
    expect((await ask('npm run test', { cwd: '/srv/other' })).status).toBe('pending');
    expect((await ask('npm run test', { sessionId: 'resumed' })).status).toBe('approved');
    expect((await ask('npm run test', { sessionId: 'resumed' })).status).toBe('pending');
    expect((await api.get(id)).body.status).toBe('expired');
    const [row] = await database.query(
      `select extract(epoch from expires_at - made_at)::int as seconds from grants`,
    );
    expect(row).toEqual({ seconds: 3600 });
  });

  it('is made at most once from one request, however many ask for it at once', async () => {
    const { id } = await ask('npm run test');
    await api.call('agent', 'POST', `/api/approvals/${id}/cancel`, {});
    const made = await Promise.all([1, 2, 3, 4].map(() => allowOnce(id)));
    expect(made.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(new Set(made.map(({ body }) => (body as { id: string }).id)).size).toBe(1);
    expect(await openGrants()).toHaveLength(1);
    const audited = await database.query(`select 1 from audit_log where type = 'grant.made'`);
    expect(audited).toHaveLength(1);
  });

  it('is told again to its maker, whose answer may have been lost, and refused to everybody else', async () => {
    const { id } = await ask('npm run test');
    await expire(id);
    const first = await allowOnce(id);
    expect(await allowOnce(id)).toMatchObject({ status: 201, body: first.body });
    const key = await issueKey(database, 'operator', 'paul');
    await keyIs(true, app.url, key);
    const pauls = new Api(app.url, { agent: AGENT_KEY, operator: key });
    const path = `/api/approvals/${id}/late-grant`;
    expect(await pauls.call('operator', 'POST', path)).toMatchObject({
      status: 409,
      body: { code: 'grant.not-permitted' },
    });
    await asOperator('DELETE', `/api/grants/${(first.body as { id: string }).id}`);
    expect((await allowOnce(id)).status).toBe(409);
  });

  it('is refused while the key has all its open grants, except to the maker who asks again', async () => {
    const { id } = await ask('npm run test');
    const other = await ask('npm run lint');
    await expire(id);
    await expire(other.id);
    expect((await allowOnce(id)).status).toBe(201);
    await Promise.all(Array.from({ length: 49 }, (_, nth) => ask(`npm run test-${nth}`)));
    await database.query(
      `insert into grants (id, approval_id, key_id, session_id, tool, scope, words, policy_version, made_by_kind,
         made_by_id, made_by_name, made_at, expires_at, max_uses, uses)
       select gen_random_uuid(), a.id, a.key_id, a.session_id, g.tool, g.scope, g.words, g.policy_version, g.made_by_kind,
         g.made_by_id, g.made_by_name, g.made_at, g.expires_at, null, 0
       from grants g cross join approvals a where a.id not in ($1, $2)`,
      [id, other.id],
    );
    expect(await allowOnce(other.id)).toMatchObject({
      status: 409,
      body: { code: 'grant.not-permitted', detail: expect.stringContaining('50 open grants') as string },
    });
    expect((await allowOnce(id)).status).toBe(201);
  });

  it.each<[string, (id: string) => Promise<unknown>]>([
    ['that waits', () => Promise.resolve()],
    [
      'that was approved',
      (id) => asOperator('POST', `/api/approvals/${id}/decision`, { decision: 'approved' }),
    ],
    [
      'that was rejected',
      (id) => asOperator('POST', `/api/approvals/${id}/decision`, { decision: 'rejected' }),
    ],
    ['that an operator cancelled', (id) => asOperator('POST', `/api/approvals/${id}/cancel`, {})],
    [
      'that ended more than an hour ago',
      async (id) => {
        await expire(id);
        await api.get(id);
        await database.query(`update approvals set settled_at = settled_at - interval '61 minutes'`);
      },
    ],
  ])('is refused for one %s', async (_, end) => {
    const { id } = await ask('npm run test');
    await end(id);
    expect(await allowOnce(id)).toMatchObject({ status: 409, body: { code: 'grant.not-permitted' } });
    expect(await openGrants()).toEqual([]);
  });

  it('is refused for what has no scopes, and to the owner of the key that asked', async () => {
    const { id } = await ask('python3 deploy.py');
    await expire(id);
    expect((await allowOnce(id)).status).toBe(409);
    const key = await issueKey(database, 'agent', 'olgas-agent', 'olga');
    await keyIs(true, app.url, key);
    const theirs = new Api(app.url, { agent: key, operator: key });
    const asked = await theirs.enqueue({ toolInput: { command: 'npm run test' }, cwd: '/srv/shop' });
    await expire(asked.body.id);
    expect(await allowOnce(asked.body.id)).toMatchObject({
      status: 403,
      body: { code: 'access.same-owner' },
    });
  });
});

describe('ends also where a replica of an earlier version', () => {
  it('stores the rejection', async () => {
    await grant((await ask('npm run test')).id, 'npm run test');
    const { id } = await ask('rm -rf build');
    await database.query(
      `update approvals set status = 'rejected', settled_at = now(), settled_by_kind = 'api', settled_by_id = 'olga',
         settled_by_name = 'olga' where id = $1`,
      [id],
    );
    expect(await openGrants()).toEqual([]);
    const audited = await database.query(
      `select type, actor, data::json ->> 'cause' as cause from audit_log where type = 'grant.revoked'`,
    );
    expect(audited).toEqual([{ type: 'grant.revoked', actor: 'api:olga', cause: 'rejection' }]);
  });

  it('applies another version of the policy, even if the one before comes back', async () => {
    await grant((await ask('npm run test')).id, 'npm run test');
    await database.query(`insert into policy_versions (version, document, source, created_at)
      values ('sha256:other', '{"rules":[],"version":1}', 'version: 1', now())`);
    await database.query(`update policy_state set active_version = 'sha256:other'`);
    await database.query(`insert into policy_activations (version, cause, actor, at)
      values ('sha256:other', 'apply', 'api:maria', now())`);
    await database.query(`update policy_state set active_version = null`);
    expect((await ask('npm run test')).status).toBe('pending');
    expect(await openGrants()).toEqual([]);
  });
});

it('used faster than the operators allow is announced and audited once an hour, and counted', async () => {
  const { body } = await grant((await ask('npm run test')).id, 'npm run test');
  const use = async (times: number) => {
    for (let nth = 0; nth < times; nth++) expect((await ask('npm run test')).status).toBe('approved');
    return database.query(
      `select actor, data::json ->> 'uses' as uses from audit_log where type = 'grant.alarmed' order by seq`,
    );
  };
  const first = { actor: `grant:${String(body.id)}`, uses: '31' };
  expect(await use(30)).toEqual([]);
  await database.query(`update grants set pace_at = pace_at - interval '1 minute'`);
  expect(await use(30)).toEqual([]);
  expect(await use(5)).toEqual([first]);
  await until('the metric', async () =>
    (await (await fetch(`${app.url}/metrics`)).text()).includes('\ngrants_alarming 1\n'),
  );
  await database.query(`update grants set alarmed_at = alarmed_at - interval '1 hour'`);
  expect(await use(1)).toEqual([first, { ...first, uses: '36' }]);
});

it('made under another version of the policy answers nothing, though nobody has revoked it', async () => {
  await grant((await ask('npm run test')).id, 'npm run test');
  // As a replica of an earlier build applies a version: it knows no grants.
  await database.query(`insert into policy_versions (version, document, source, created_at)
    values ('sha256:other', '{"rules":[],"version":1}', 'version: 1', now())`);
  await database.query(`update policy_state set active_version = 'sha256:other'`);
  expect((await ask('npm run test')).status).toBe('pending');
  expect(await openGrants()).toMatchObject([{ uses: 0 }]);
});

it.each([
  ['no offer of this request', { offer: '0'.repeat(12) }, 409, 'grant.not-permitted'],
  ['no id of an offer', { offer: 'npm' }, 400, 'request.invalid'],
  ['more than eight hours', { seconds: 28_801 }, 400, 'request.invalid'],
  ['no uses', { uses: 0 }, 400, 'request.invalid'],
  ['something unknown', { scope: '*' }, 400, 'request.invalid'],
])('refuses %s, and the request stays pending', async (_, more, status, code) => {
  const { id } = await ask('npm run test');
  expect(await grant(id, 'npm run test', more)).toMatchObject({ status, body: { code } });
  expect((await api.get(id)).body.status).toBe('pending');
  expect(await openGrants()).toEqual([]);
});

it('refuses a second grant from one request, and one for the key of the same owner', async () => {
  const { id } = await ask('npm run test');
  const [, offer] = await offersOf(id);
  await grant(id, 'npm run test');
  const again = { approvalId: id, offer: offer?.id };
  expect(await asOperator('POST', '/api/grants', again)).toMatchObject({ status: 409 });
  expect(await openGrants()).toHaveLength(1);
});

it('belongs to operators: an agent neither sees nor makes one', async () => {
  const { id } = await ask('npm run test');
  for (const [method, path] of [
    ['GET', `/api/approvals/${id}/grant-offers`],
    ['GET', '/api/grants'],
    ['POST', '/api/grants'],
    ['POST', `/api/approvals/${id}/late-grant`],
    ['DELETE', `/api/grants/${id}`],
  ] as const) {
    expect((await api.call('agent', method, path)).status).toBe(403);
  }
});

it('locks what it settles in the order of the ids, as other decisions do', async () => {
  const asked = [await ask('npm run test'), await ask('npm run test')];
  const [first = '', second = ''] = asked.map(({ id }) => id).toSorted();
  const bystander = new Client({ connectionString: database.url });
  await bystander.connect();
  try {
    await bystander.query('begin');
    await bystander.query('select 1 from approvals where id = $1 for update', [first]);
    const granted = grant(second, 'npm run test');
    await until('the grant waits for the first', async () => {
      const waiting = await database.query(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    });
    await bystander.query('select 1 from approvals where id = $1 for update nowait', [second]);
    await bystander.query('commit');
    expect((await granted).status).toBe(201);
  } finally {
    await bystander.end();
  }
  for (const id of [first, second]) expect((await api.get(id)).body.status).toBe('approved');
});
