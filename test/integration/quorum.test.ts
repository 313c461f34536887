import { migrate, revertMigration } from '../../src/database/migrations';
import { readReceipt } from '../../src/receipts/verify-receipt';
import { Api, requestBody, type Answer, type ApprovalJson } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { holdCommits } from '../support/held-commits';
import { issueKey, revokeKey } from '../support/keys';
import { openEventStream, type EventStream } from '../support/event-stream';
import { openTestApp, type OpenApp } from '../support/open-app';
import { until } from '../support/until';

const POLICY = `
version: 1
people:
  olivia: { telegram: 4711, groups: [sre, leads] }
  sam: { telegram: 4712, groups: [sre] }
  rita: { groups: [leads] }
  tom: { groups: [interns] }
rules:
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, apply]] } }
    class: critical
classes:
  critical: { approvals: 2, from: [sre, leads] }
`;

let database: TestDatabase;
let app: OpenApp;
let api: Api;
let admin: string;
let keys: Readonly<Record<'olivia' | 'oliviaToo' | 'sam' | 'rita' | 'tom' | 'nobody', string>>;

beforeEach(async () => {
  database = await createTestDatabase();
  admin = await issueKey(database, 'admin', 'maria', 'maria');
  keys = {
    olivia: await issueKey(database, 'operator', 'olivia-laptop', 'Olivia'),
    oliviaToo: await issueKey(database, 'operator', 'olivia-phone', ' olivia '),
    sam: await issueKey(database, 'operator', 'sam-laptop', 'sam'),
    rita: await issueKey(database, 'operator', 'rita-laptop', 'rita'),
    tom: await issueKey(database, 'operator', 'tom-laptop', 'tom'),
    nobody: await issueKey(database, 'operator', 'old-script'),
  };
  app = await openTestApp(database.url);
  api = new Api(app.url);
});
afterEach(async () => {
  await app.close();
  await database.drop();
});

let active: string | null = null;
beforeEach(() => (active = null));

async function apply(document: string): Promise<void> {
  const response = await fetch(`${app.url}/api/policy`, {
    method: 'PUT',
    headers: {
      authorization: `Bearer ${admin}`,
      'content-type': 'application/yaml',
      ...(active === null ? { 'if-none-match': '*' } : { 'if-match': active }),
    },
    body: document,
  });
  const body = (await response.json()) as { version?: string };
  expect(response.status).toBe(200);
  active = body.version ?? null;
}

const as = (key: string) => ({ authorization: `Bearer ${key}` });

const decide = (
  key: string,
  id: string,
  decision = 'approved',
  reason?: string,
): Promise<Answer<ApprovalJson>> =>
  api.call(null, 'POST', `/api/approvals/${id}/decision`, { decision, reason }, as(key));

const takeBack = (key: string, id: string): Promise<Answer<ApprovalJson>> =>
  api.call(null, 'DELETE', `/api/approvals/${id}/decision`, undefined, as(key));

async function asked(more: Record<string, unknown> = {}): Promise<string> {
  const { body } = await api.enqueue({ toolInput: { command: 'terraform apply' }, cwd: '/srv', ...more });
  expect(body).toMatchObject({ status: 'pending', policy: { class: 'critical' } });
  return body.id;
}

const audited = async (id: string) =>
  (
    await database.query<{ line: string }>(
      `select type || ' ' || actor as line from audit_log where approval_id = $1 order by seq`,
      [id],
    )
  ).map(({ line }) => line);

describe('a class that needs two people', () => {
  beforeEach(() => apply(POLICY));

  it('takes the reason of somebody who is counted already, once', async () => {
    const id = await asked();
    await decide(keys.olivia, id);
    await decide(keys.oliviaToo, id, 'approved', 'I watch it');
    await decide(keys.olivia, id, 'approved', 'another reason');
    await decide(keys.olivia, id);
    const { decisions } = (await decide(keys.sam, id)).body;
    expect(decisions).toMatchObject([
      { by: { name: 'olivia' }, reason: 'I watch it' },
      { by: { name: 'sam' }, reason: null },
    ]);
    expect((await audited(id)).filter((line) => line.startsWith('approval.counted'))).toHaveLength(2);
  });

  it('is approved by two different people, and its receipt and answers name both', async () => {
    const id = await asked();
    const first = await decide(keys.olivia, id);
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({
      status: 'pending',
      decision: null,
      required: { approvals: 2, rejections: 1, from: [['sre', 'leads']], via: 'any' },
      decisions: [
        { by: { kind: 'api', id: 'olivia-laptop', name: 'olivia' }, verdict: 'approved', via: 'api' },
      ],
    });
    const second = await decide(keys.sam, id);
    expect(second.body).toMatchObject({
      status: 'approved',
      decision: { by: { kind: 'api', id: 'sam-laptop', name: 'sam' } },
      decisions: [{ by: { name: 'olivia' } }, { by: { name: 'sam' } }],
    });
    expect((await api.get(id)).body).toEqual(second.body);
    const { body: published } = await api.call<{ keys: [] }>(null, 'GET', '/.well-known/jwks.json');
    expect(await readReceipt(second.body.receipt as string, published)).toMatchObject({
      status: 'approved',
      decidedBy: { name: 'sam' },
      decisions: [{ by: { name: 'olivia' } }, { by: { name: 'sam' } }],
    });
    expect(await audited(id)).toEqual([
      'approval.enqueued api:bootstrap-agent',
      'approval.counted api:olivia-laptop',
      'approval.approved api:sam-laptop',
    ]);
  });

  it('counts one person once, by whatever key', async () => {
    const id = await asked();
    await decide(keys.olivia, id);
    for (const key of [keys.olivia, keys.oliviaToo]) {
      const { status, body } = await decide(key, id);
      expect([status, body.status, (body.decisions as unknown[]).length]).toEqual([200, 'pending', 1]);
    }
  });

  it('refuses people whom it does not name, and audits the refusal', async () => {
    const id = await asked();
    for (const key of [keys.tom, keys.nobody]) {
      const { status, body } = await decide(key, id);
      expect([status, body.code]).toEqual([403, 'quorum.not-eligible']);
    }
    expect((await audited(id)).slice(1)).toEqual([
      'approval.decision-refused api:tom-laptop',
      'approval.decision-refused api:old-script',
    ]);
  });

  it('does not count the one whose own key asked', async () => {
    const agent = await issueKey(database, 'agent', 'sams-agent', 'SAM');
    const body = requestBody({ toolInput: { command: 'terraform apply' }, cwd: '/srv' });
    const { id } = await until('the new key is taken', async () => {
      const answer = await api.call(null, 'POST', '/api/approvals', body, as(agent));
      return answer.status === 201 ? answer.body : null;
    });
    const { status, body: refused } = await decide(keys.sam, id);
    expect([status, refused.code]).toEqual([403, 'access.same-owner']);
    await decide(keys.olivia, id);
    expect((await decide(keys.rita, id)).body.status).toBe('approved');
  });

  it('ends with the first rejection, also of somebody who had approved', async () => {
    const id = await asked();
    await decide(keys.olivia, id);
    expect((await decide(keys.olivia, id, 'rejected')).body).toMatchObject({
      status: 'rejected',
      decision: { by: { name: 'olivia' } },
      decisions: [{ verdict: 'rejected' }],
    });
    const other = await asked();
    await decide(keys.olivia, other);
    const rejected = await decide(keys.oliviaToo, other, 'rejected');
    expect(rejected.body).toMatchObject({ status: 'rejected' });
    expect((await api.get(other)).body.decisions).toMatchObject([{ by: { id: 'olivia-phone' } }]);
  });

  it('counts no more what was taken back', async () => {
    const id = await asked();
    await decide(keys.olivia, id);
    expect((await takeBack(keys.oliviaToo, id)).body).toMatchObject({ status: 'pending', decisions: [] });
    expect((await decide(keys.sam, id)).body.status).toBe('pending');
    expect((await decide(keys.rita, id)).body).toMatchObject({
      status: 'approved',
      decisions: [{ by: { name: 'sam' } }, { by: { name: 'rita' } }],
    });
    const late = await takeBack(keys.sam, id);
    expect([late.status, late.body.code]).toEqual([409, 'approval.already-settled']);
    expect(await audited(id)).toContain('approval.taken-back api:olivia-phone');
  });

  it('refuses a taking back by people whom it does not name, and audits that', async () => {
    const id = await asked();
    await decide(keys.olivia, id);
    const refused = await takeBack(keys.tom, id);
    expect([refused.status, refused.body.code]).toEqual([403, 'quorum.not-eligible']);
    expect((await audited(id)).slice(2)).toEqual(['approval.decision-refused api:tom-laptop']);
    // Somebody who may decide and has not keeps no decision.
    expect((await takeBack(keys.sam, id)).body).toMatchObject({ status: 'pending', decisions: [{}] });
  });

  it('counts nobody who may no longer decide when it settles', async () => {
    const id = await asked();
    await decide(keys.olivia, id);
    await apply(POLICY.replace('[sre, leads] }\n  sam', '[interns] }\n  sam'));
    expect((await decide(keys.sam, id)).body.status).toBe('pending');
    const other = await asked();
    await decide(keys.sam, other);
    await revokeKey(database, 'sam-laptop');
    expect((await decide(keys.rita, other)).body.status).toBe('pending');
  });

  it('has no grants, and lets no replica of an older version approve it alone', async () => {
    const id = await asked();
    const offers = await api.call<{ offers: unknown[] }>(
      null,
      'GET',
      `/api/approvals/${id}/grant-offers`,
      undefined,
      as(keys.sam),
    );
    expect(offers.body.offers).toEqual([]);
    const settle = `update approvals set status = 'approved', settled_at = now(), settled_by_kind = 'api',
      settled_by_id = 'sam-laptop', settled_by_name = 'sam' where id = $1`;
    await expect(database.query(settle, [id])).rejects.toThrow('has 1 of the required approvals');
    await decide(keys.olivia, id);
    await database.query(settle, [id]);
  });
});

describe('a request of a class that names groups', () => {
  const WATCHED = POLICY.replace(
    'rules:',
    `  ada: { groups: [admins] }
  ivy: { groups: [watchers] }
destinations: { ops: { telegram: -1001 } }
chains: { ops: [{ to: ops, mention: watchers }] }
rules:`,
  ).replace('from: [sre, leads]', 'from: [sre, leads], chain: ops');

  const readAs = <Body = { items: ApprovalJson[] }>(key: string, path: string): Promise<Answer<Body>> =>
    api.call<Body>(null, 'GET', path, undefined, as(key));
  const idsIn = async (key: string, query: string) =>
    (await readAs(key, `/api/approvals${query}`)).body.items.map(({ id }) => id);
  const exportedTo = async (key: string) =>
    (await fetch(`${app.url}/api/approvals/export`, { headers: as(key) })).text();

  it('is read by its deciders, by whom its chain notifies and by admins, and looks unknown to others', async () => {
    await apply(WATCHED);
    const secret = await asked();
    const open = (await api.enqueue({ toolInput: { command: 'make' }, cwd: '/srv' })).body.id;
    const ada = await issueKey(database, 'operator', 'ada-laptop', 'ada');
    const ivy = await issueKey(database, 'operator', 'ivy-laptop', 'ivy');
    await until('the new keys are taken', async () => (await readAs(ivy, '/api/approvals')).status === 200);

    for (const key of [keys.olivia, keys.rita, ivy, ada]) {
      expect(await idsIn(key, '')).toEqual([open, secret]);
      expect(await idsIn(key, '?q=terraform')).toEqual([secret]);
      expect((await readAs(key, `/api/approvals/${secret}/display`)).status).toBe(200);
    }
    const unknown = '018f0000-0000-7000-8000-000000000000';
    for (const key of [keys.tom, keys.nobody]) {
      for (const query of ['', '?status=pending', '?tool=Bash', '?agentId=claude-code'])
        expect(await idsIn(key, query)).toEqual([open]);
      expect(await idsIn(key, '?q=terraform')).toEqual([]);
      expect(await exportedTo(key)).not.toContain('terraform');
      for (const path of ['', '/display', '/events', '/grant-offers'])
        expect((await readAs<ApprovalJson>(key, `/api/approvals/${secret}${path}`)).body).toEqual({
          ...(await readAs<ApprovalJson>(key, `/api/approvals/${unknown}${path}`)).body,
          correlationId: expect.any(String) as string,
        });
      const refused = await api.call(null, 'POST', `/api/approvals/${secret}/cancel`, {}, as(key));
      expect([refused.status, refused.body.code]).toEqual([404, 'approval.not-found']);
      const { body: shown } = await readAs<{ earlier: unknown[] }>(key, `/api/approvals/${open}/display`);
      expect(shown.earlier).toEqual([]);
    }
    const { body: seen } = await readAs<{ earlier: unknown[] }>(keys.sam, `/api/approvals/${open}/display`);
    expect(seen.earlier).toHaveLength(1);
  });

  it('is replayed for those who see it, and for keys that apply policies', async () => {
    await apply(WATCHED);
    await asked();
    await api.enqueue({ toolInput: { command: 'make' }, cwd: '/srv' });
    const replayed = async (key: string) => {
      const response = await fetch(`${app.url}/api/policy/test`, {
        method: 'POST',
        headers: { ...as(key), 'content-type': 'application/yaml' },
        body: WATCHED,
      });
      return ((await response.json()) as { requests: number }).requests;
    };
    for (const key of [admin, keys.olivia]) expect(await replayed(key)).toBe(2);
    for (const key of [keys.tom, keys.nobody]) expect(await replayed(key)).toBe(1);
  });

  it('does not answer a refusal with it to somebody who must not see it', async () => {
    await apply(POLICY);
    const id = await asked();
    await decide(keys.sam, id, 'rejected');
    const [late, hidden] = [await decide(keys.rita, id), await decide(keys.tom, id)];
    expect([late.status, (late.body.approval as ApprovalJson).id]).toEqual([409, id]);
    expect([hidden.status, hidden.body.code, hidden.body.approval]).toEqual([
      404,
      'approval.not-found',
      undefined,
    ]);
  });

  it('comes and goes in open consoles with the policy that says who sees it', async () => {
    await apply(POLICY);
    const id = await asked();
    const streams = {
      tom: await openEventStream(`${app.url}/api/events`, keys.tom),
      sam: await openEventStream(`${app.url}/api/events`, keys.sam),
    };
    const has = (stream: EventStream, event: string) =>
      until(`the stream has ${event} of the request`, () =>
        stream
          .text()
          .split('\n\n')
          .some((each) => each.includes(`event: ${event}\n`) && each.includes(id)),
      );
    await has(streams.sam, 'inbox');
    await until('the inbox is sent', () => streams.tom.text().includes('event: inbox'));
    expect(streams.tom.text()).not.toContain(id);
    await apply(
      POLICY.replace('tom: { groups: [interns] }', 'tom: { groups: [sre] }').replace(
        'sam: { telegram: 4712, groups: [sre] }',
        'sam: { telegram: 4712 }',
      ),
    );
    await Promise.all([has(streams.tom, 'asked'), has(streams.sam, 'crowded-out')]);
    await decide(keys.rita, id, 'rejected');
    await has(streams.tom, 'settled');
    for (const stream of Object.values(streams)) stream.hangUp();
  });

  it('is not sent as settled to somebody who waits and may not see it any more', async () => {
    await apply(POLICY);
    const id = await asked();
    const waits = readAs<ApprovalJson>(keys.sam, `/api/approvals/${id}?wait=50`);
    const stream = await openEventStream(`${app.url}/api/approvals/${id}/events`, keys.sam);
    await until('both wait', () => app.feed.size === 2 && stream.text().includes('"pending"'));
    await apply(POLICY.replace('sam: { telegram: 4712, groups: [sre] }', 'sam: { telegram: 4712 }'));
    await decide(keys.rita, id, 'rejected');
    const { status, body } = await waits;
    expect([status, body.code]).toEqual([404, 'approval.not-found']);
    await stream.ended;
    expect(stream.text()).not.toContain('"rejected"');
  });

  it('says nothing of what it shows to somebody who must not see it', async () => {
    await apply(POLICY);
    const id = await asked();
    const { displayDigest } = (
      await readAs<{ displayDigest: string }>(keys.sam, `/api/approvals/${id}/display`)
    ).body;
    const answers = await Promise.all(
      [displayDigest, `sha256:${'0'.repeat(64)}`].map((shown) =>
        api.call(
          null,
          'POST',
          `/api/approvals/${id}/decision`,
          { decision: 'rejected', displayDigest: shown },
          as(keys.tom),
        ),
      ),
    );
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [403, 'quorum.not-eligible'],
      [403, 'quorum.not-eligible'],
    ]);
  });

  it('is read by everybody where the policy names nobody', async () => {
    await apply(POLICY);
    const id = await asked();
    expect(await idsIn(keys.nobody, '')).toEqual([]);
    await apply('version: 1\nrules: []\n');
    expect(await idsIn(keys.nobody, '')).toEqual([id]);
  });
});

it('a class can ask for several rejections', async () => {
  await apply(POLICY.replace('approvals: 2', 'approvals: 2, rejections: 2'));
  const id = await asked();
  expect((await decide(keys.olivia, id, 'rejected')).body.status).toBe('pending');
  expect((await decide(keys.sam, id)).body.status).toBe('pending');
  expect((await decide(keys.rita, id, 'rejected')).body).toMatchObject({
    status: 'rejected',
    decisions: [
      { by: { name: 'olivia' }, verdict: 'rejected' },
      { by: { name: 'sam' }, verdict: 'approved' },
      { by: { name: 'rita' }, verdict: 'rejected' },
    ],
  });
});

it('people of the policy decide what needs one person, and nobody else does', async () => {
  await apply(POLICY);
  const { body } = await api.enqueue({ toolInput: { command: 'make' }, cwd: '/srv' });
  expect(body).toMatchObject({ status: 'pending', policy: { class: 'normal' }, required: { approvals: 1 } });
  const refused = await decide(keys.nobody, body.id);
  expect([refused.status, refused.body.code]).toEqual([403, 'quorum.not-eligible']);
  expect((await decide(keys.tom, body.id)).body).toMatchObject({ status: 'approved' });
});

it('people of the policy make grants under their own name', async () => {
  await apply(POLICY);
  const { body } = await api.enqueue({ toolInput: { command: 'npm run test' }, cwd: '/srv' });
  const path = `/api/approvals/${body.id}/grant-offers`;
  const { body: found } = await api.call<{ offers: { id: string }[] }>(
    null,
    'GET',
    path,
    undefined,
    as(keys.sam),
  );
  const made = await api.call<Record<string, unknown>>(
    null,
    'POST',
    '/api/grants',
    { approvalId: body.id, offer: found.offers[0]?.id },
    as(keys.sam),
  );
  expect(made.body.by).toEqual({ kind: 'api', id: 'sam-laptop', name: 'sam' });
});

it('two who approve at the same moment settle it once, whatever the order', async () => {
  await apply(POLICY);
  for (let round = 0; round < 20; round++) {
    const id = await asked();
    const answers = await Promise.all([
      decide(keys.olivia, id),
      decide(keys.sam, id),
      decide(keys.oliviaToo, id),
    ]);
    // Of the two accounts of one person, the one that was not counted may come too late.
    expect(answers[1].status).toBe(200);
    expect([200, 409]).toEqual(expect.arrayContaining(answers.map(({ status }) => status)));
    const { body } = await api.get(id);
    expect([body.status, (body.decisions as unknown[]).length]).toEqual(['approved', 2]);
  }
});

it('a decision counts in the receipt that is being stored while its person leaves the policy', async () => {
  await apply(POLICY);
  const id = await asked();
  await decide(keys.olivia, id);
  const held = await holdCommits(database);
  const settled = decide(keys.sam, id);
  await until('the approval is being stored', async () => (await held.waiting()) === 1);
  let isApplied = false;
  const applied = apply(POLICY.replace(/ {2}olivia: .*\n/, '')).then(() => (isApplied = true));
  await until('the activation waits', async () => isApplied || (await held.waiting()) === 2);
  await held.release();
  await applied;
  expect((await settled).body).toMatchObject({
    status: 'approved',
    decisions: [{ by: { name: 'olivia' } }, { by: { name: 'sam' } }],
  });
  expect((await api.get(id)).body).toEqual((await settled).body);
  expect(await audited(id)).not.toContain('approval.taken-back api:maria');
});

it('a class that names no group is decided by everybody whom the policy names', async () => {
  await apply(POLICY.replace(', from: [sre, leads]', ''));
  const id = await asked();
  expect((await decide(keys.tom, id)).body.status).toBe('pending');
  expect((await decide(keys.rita, id)).body.status).toBe('approved');
});

it('of several classes that ask, each counts: the most approvals, and people who are in the groups of all', async () => {
  await apply(
    `${POLICY}  payments: { from: [leads] }\n`.replace(
      'classes:',
      `  - id: pays
    decision: ask
    match: { tool: [Bash], command: { mentions: [[pay]] } }
    class: payments
classes:`,
    ),
  );
  const { body } = await api.enqueue({ toolInput: { command: 'terraform apply; pay' }, cwd: '/srv' });
  expect(body).toMatchObject({
    policy: { class: 'critical' },
    required: { approvals: 2, rejections: 1, from: [['leads'], ['sre', 'leads']] },
  });
  expect((await decide(keys.sam, body.id)).body.code).toBe('quorum.not-eligible');
  await decide(keys.olivia, body.id);
  expect((await decide(keys.rita, body.id)).body.status).toBe('approved');
});

it('three people settle it whatever the order of their names, in the collation of any database', async () => {
  await apply(POLICY.replace('approvals: 2, from: [sre, leads]', 'approvals: 3'));
  await database.query(`update api_keys set name = 'Sam-1' where name = 'sam-laptop'`);
  const id = await asked();
  await until('the renamed key is taken', async () => (await decide(keys.sam, id)).status === 200);
  await decide(keys.olivia, id);
  expect((await decide(keys.rita, id)).body.status).toBe('approved');
});

it('people still decide after the migration was reverted and made again', async () => {
  await apply(POLICY);
  const id = await asked();
  const added = 'AddPeople1795464000045';
  for (let name = ''; name !== added;) name = (await revertMigration(database.url)) ?? added;
  const [ended] = await database.query<{ due: boolean }>(
    `select expires_at <= now() as due from approvals where id = $1`,
    [id],
  );
  expect(ended).toEqual({ due: true });
  await migrate(database.url);
  const { body } = await api.enqueue({ toolInput: { command: 'make' }, cwd: '/srv' });
  expect((await decide(keys.nobody, body.id)).body.code).toBe('quorum.not-eligible');
});
