import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { Api, type ApprovalJson } from '../../support/api';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { holdCommits } from '../../support/held-commits';
import { issueKey, keyIs } from '../../support/keys';
import { openTestApp, type OpenApp } from '../../support/open-app';
import { CLIENT, ForgingProvider, type Forgery } from '../../support/openid-provider';
import { until } from '../../support/until';

const PEOPLE = `
  olivia: { email: Olivia@Example.org, groups: [sre] }
  sam: { email: sam@example.org, subject: sub-sam, groups: [sre] }
  maria: { groups: [sre] }`;

const policyOf = (people: string) => `
version: 1
people:${people}
rules:
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform]] } }
    class: double
classes:
  double: { approvals: 2 }
`;

const OLIVIA = { sub: 'sub-olivia', email: 'olivia@example.org', email_verified: true };

let provider: ForgingProvider;
let database: TestDatabase;
let app: OpenApp;
let api: Api;
let admin: string;

async function apply(people: string): Promise<void> {
  const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/yaml' };
  const active = await fetch(`${app.url}/api/policy`, { headers });
  const { version } = (await active.json()) as { version: string | null };
  const answer = await fetch(`${app.url}/api/policy`, {
    method: 'PUT',
    headers: { ...headers, ...(version === null ? { 'if-none-match': '*' } : { 'if-match': version }) },
    body: policyOf(people),
  });
  expect(answer.status).toBe(200);
}

beforeAll(async () => {
  provider = await ForgingProvider.open();
  database = await createTestDatabase();
  app = await openTestApp(database.url, {
    OIDC_ISSUER: provider.issuer,
    OIDC_CLIENT_ID: CLIENT.id,
    OIDC_CLIENT_SECRET: CLIENT.secret,
  });
  api = new Api(app.url);
  admin = await issueKey(database, 'admin', 'nora', 'nora');
  await keyIs(true, app.url, admin);
  await apply(PEOPLE);
});
afterAll(async () => {
  await app.close();
  await database.drop();
  provider.close();
});
beforeEach(() => {
  provider.userInfo = null;
  provider.fails = null;
});

interface Reply {
  readonly status: number;
  readonly code: string | null;
  readonly cookies: string[];
  readonly body: unknown;
}

/** A browser at the page of the console, on a machine of its own. */
class Browser {
  private readonly cookies = new Map<string, string>();
  private secret = '1';

  /** @param localAddress source of its calls, which the limit of attempts counts */
  constructor(private readonly localAddress = '127.0.0.1') {}

  private open(method: string, path: string, body?: unknown): Promise<IncomingMessage> {
    const headers = {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      origin: app.url,
      'x-countersign-console': this.secret,
      cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
    };
    const { localAddress } = this;
    return new Promise((resolve, reject) => {
      const call = request(`${app.url}${path}`, { method, headers, localAddress }, resolve);
      call.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async send(method: string, path: string, body?: unknown): Promise<Reply> {
    const answer = await this.open(method, path, body);
    const cookies = answer.headers['set-cookie'] ?? [];
    for (const cookie of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    this.secret = String(answer.headers['x-countersign-console'] ?? this.secret);
    const got = await text(answer);
    const read = (got === '' ? null : JSON.parse(got)) as { code?: string } | null;
    return { status: answer.statusCode ?? 0, code: read?.code ?? null, cookies, body: read };
  }

  async begin(): Promise<string> {
    return ((await this.send('POST', '/console/oidc/sign-in')).body as { url: string }).url;
  }

  present(answer: string): Promise<Reply> {
    return this.send('POST', '/console/session', { oidc: { answer } });
  }

  async signIn(claims: object, forgery: Forgery = {}): Promise<Reply> {
    return this.present(await provider.approve(await this.begin(), { ...claims }, forgery));
  }

  get isSignedIn(): Promise<boolean> {
    return this.send('GET', '/api/approvals').then(({ status }) => status === 200);
  }

  async approve(id: string): Promise<ApprovalJson> {
    const { body } = await this.send('GET', `/api/approvals/${id}/display`);
    const { displayDigest } = body as { displayDigest: string };
    const decided = await this.send('POST', `/api/approvals/${id}/decision`, {
      decision: 'approved',
      displayDigest,
    });
    return decided.body as ApprovalJson;
  }

  /** Opens the stream of events. */
  async openEvents(): Promise<IncomingMessage> {
    const stream = await this.open('GET', '/api/events');
    expect(stream.statusCode).toBe(200);
    return stream.resume();
  }
}

const refusals = async () =>
  (await database.query(`select from audit_log where type = 'access.unauthenticated'`)).length;

it('the verified e-mail of a person opens a session, which decides as the person', async () => {
  const olivia = new Browser();
  const opened = await olivia.signIn(OLIVIA);
  expect(opened.status).toBe(204);
  expect(opened.cookies).toEqual([
    expect.stringMatching(/^countersign-sign-in=; HttpOnly; SameSite=Strict; Path=\/; Max-Age=0$/),
    expect.stringMatching(/^countersign=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=43200$/),
  ]);
  expect((await olivia.send('GET', '/console/session')).body).toEqual({
    operator: { key: 'oidc:olivia', owner: 'olivia', person: null },
    provider: new URL(provider.issuer).host,
  });
  const { body: asked } = await api.enqueue();
  expect((await olivia.approve(asked.id)).decision?.by).toEqual({
    kind: 'console',
    id: 'oidc:olivia',
    name: 'olivia',
  });
  const { sub: subject, email } = OLIVIA;
  expect(
    await database.query(`select actor, data::json from audit_log where type = 'console.signed-in'`),
  ).toContainEqual({
    actor: 'console:oidc:olivia',
    data: { person: 'olivia', issuer: provider.issuer, subject, email },
  });
});

it('the database and the log have no token of a sign-in', async () => {
  const olivia = new Browser();
  const url = await olivia.begin();
  const state = new URL(url).searchParams.get('state') ?? '';
  const rows = await database.query<{ row: string }>('select oidc_sign_ins::text as row from oidc_sign_ins');
  expect(rows.map(({ row }) => row).join()).not.toContain(state);
  await olivia.present(await provider.approve(url, OLIVIA, { claims: { aud: 'another' } }));
  const log = JSON.stringify(app.events);
  expect(log).toContain('console.oidc-refused');
  expect(log).not.toContain(CLIENT.secret);
  expect(log).not.toContain(state);
});

it('the subject finds its person, whose e-mail then counts no more', async () => {
  expect((await new Browser().signIn({ sub: 'sub-sam' })).status).toBe(204);
  const email = { email: 'sam@example.org', email_verified: true };
  expect(await new Browser().signIn({ sub: 'sub-other', ...email })).toMatchObject({
    status: 401,
    code: 'oidc.refused',
  });
});

it('a person who also has a key counts once, and two people twice', async () => {
  const laptop = await issueKey(database, 'operator', 'olivia-laptop', 'olivia');
  await keyIs(true, app.url, laptop);
  const { body: asked } = await api.enqueue({ toolInput: { command: 'terraform apply' } });
  const olivia = new Browser();
  await olivia.signIn(OLIVIA);
  expect((await olivia.approve(asked.id)).status).toBe('pending');
  const byKey = await fetch(`${app.url}/api/approvals/${asked.id}/decision`, {
    method: 'POST',
    headers: { authorization: `Bearer ${laptop}`, 'content-type': 'application/json' },
    body: JSON.stringify({ decision: 'approved' }),
  });
  expect(((await byKey.json()) as ApprovalJson).status).toBe('pending');
  const sam = new Browser();
  await sam.signIn({ sub: 'sub-sam' });
  expect((await sam.approve(asked.id)).status).toBe('approved');
});

it('nobody decides what their own key asked', async () => {
  const own = await issueKey(database, 'agent', 'olivia-agent', 'olivia');
  await until('the key is taken', async () => {
    const answer = await fetch(`${app.url}/api/approvals`, { headers: { authorization: `Bearer ${own}` } });
    return answer.status === 200;
  });
  const asked = await new Api(app.url, { agent: own, operator: '' }).enqueue();
  const olivia = new Browser();
  await olivia.signIn(OLIVIA);
  expect(await olivia.approve(asked.body.id)).toMatchObject({ status: 403 });
});

describe('an answer is refused, and audited', () => {
  const cases: Record<string, (browser: Browser) => Promise<Reply>> = {
    'of somebody whom the policy does not name': (browser) =>
      browser.signIn({ sub: 'sub-eve', email: 'eve@example.org', email_verified: true }),
    'of a person without an account in the policy': (browser) =>
      browser.signIn({ sub: 'maria', name: 'maria' }),
    'with an e-mail that is not verified': (browser) => browser.signIn({ ...OLIVIA, email_verified: false }),
    'with an e-mail of which the provider does not say that it is verified': (browser) =>
      browser.signIn({ ...OLIVIA, email_verified: 'true' }),
    'for another audience': (browser) => browser.signIn(OLIVIA, { claims: { aud: 'another-client' } }),
    'of another issuer': (browser) => browser.signIn(OLIVIA, { claims: { iss: 'https://evil.example' } }),
    'with another nonce': (browser) => browser.signIn(OLIVIA, { claims: { nonce: 'another' } }),
    'that has ended': (browser) => browser.signIn(OLIVIA, { claims: { exp: 1_000_000_000 } }),
    'that is not signed': (browser) => browser.signIn(OLIVIA, { signed: 'none' }),
    'that is signed with the secret of the client': (browser) => browser.signIn(OLIVIA, { signed: 'HS256' }),
    'that is signed with a key of somebody else': (browser) => browser.signIn(OLIVIA, { signed: 'stranger' }),
    'whose claims are of another subject': (browser) => {
      provider.userInfo = { ...OLIVIA, sub: 'sub-other' };
      return browser.signIn(OLIVIA);
    },
    'with another state': async (browser) => {
      const answer = new URLSearchParams(await provider.approve(await browser.begin(), OLIVIA));
      answer.set('state', 'x'.repeat(43));
      return browser.present(`?${answer.toString()}`);
    },
    'without a state': async (browser) => {
      const answer = new URLSearchParams(await provider.approve(await browser.begin(), OLIVIA));
      answer.delete('state');
      return browser.present(`?${answer.toString()}`);
    },
    'that another browser has begun': async (browser) => {
      const answer = await provider.approve(await new Browser().begin(), OLIVIA);
      await browser.begin();
      return browser.present(answer);
    },
    'in a browser that has begun none': async (browser) =>
      browser.present(await provider.approve(await new Browser().begin(), OLIVIA)),
    'a second time': async (browser) => {
      const answer = await provider.approve(await browser.begin(), OLIVIA);
      expect((await browser.present(answer)).status).toBe(204);
      await browser.send('DELETE', '/console/session');
      return browser.present(answer);
    },
    'with the code of another sign-in': async (browser) => {
      const stolen = new URLSearchParams(await provider.approve(await new Browser().begin(), OLIVIA));
      const answer = new URLSearchParams(await provider.approve(await browser.begin(), OLIVIA));
      answer.set('code', stolen.get('code') ?? '');
      return browser.present(`?${answer.toString()}`);
    },
    'of another provider': async (browser) => {
      const answer = new URLSearchParams(await provider.approve(await browser.begin(), OLIVIA));
      answer.set('iss', 'https://evil.example');
      return browser.present(`?${answer.toString()}`);
    },
    'after ten minutes of the database': async (browser) => {
      const answer = await provider.approve(await browser.begin(), OLIVIA);
      await database.query(`update oidc_sign_ins set expires_at = expires_at - interval '10 minutes'`);
      return browser.present(answer);
    },
    'that says no': async (browser) => {
      const state = new URL(await browser.begin()).searchParams.get('state') ?? '';
      const query = new URLSearchParams({ error: 'access_denied', state, iss: provider.issuer });
      return browser.present(`?${query.toString()}`);
    },
  };

  it.each(Object.keys(cases).map((name, index) => [name, `127.0.1.${index + 1}`]))(
    '%s',
    async (name, address) => {
      await database.query(`delete from console_sessions`);
      const browser = new Browser(address);
      const answer = await cases[name]?.(browser);
      expect(answer).toMatchObject({ status: 401, code: 'oidc.refused' });
      expect(await browser.isSignedIn).toBe(false);
      expect(await database.query('select from console_sessions')).toHaveLength(0);
      expect(await refusals()).toBeGreaterThan(0);
    },
  );
});

describe('a session ends within a second', () => {
  afterEach(() => apply(PEOPLE));

  it.each([
    ['when the policy names the person no more', '\n  maria: { groups: [sre] }\n  sam: { groups: [sre] }'],
    [
      'when somebody else has the e-mail',
      PEOPLE.replace('maria: {', 'maria: { email: olivia@example.org,').replace(
        'email: Olivia@Example.org, ',
        '',
      ),
    ],
    ['when a subject counts from now on', PEOPLE.replace('olivia: {', 'olivia: { subject: another,')],
  ])('%s', async (_, people) => {
    const olivia = new Browser();
    await olivia.signIn(OLIVIA);
    const events = await olivia.openEvents();
    const ended = once(events, 'close');
    expect(await olivia.isSignedIn).toBe(true);
    await apply(people);
    await ended;
    expect(await olivia.isSignedIn).toBe(false);
  });
});

it('the decision of an account ends when the policy gives it to its person no more, also if it does so again', async () => {
  const { body: asked } = await api.enqueue({ toolInput: { command: 'terraform apply' } });
  const olivia = new Browser();
  await olivia.signIn(OLIVIA);
  expect((await olivia.approve(asked.id)).decisions).toHaveLength(1);
  await apply(PEOPLE.replace('email: Olivia@Example.org', 'email: olivia@another.example'));
  await apply(PEOPLE);
  expect((await api.get(asked.id)).body.decisions).toEqual([]);
  expect(await olivia.isSignedIn).toBe(false);
  expect(
    await database.query(
      `select actor, data::json from audit_log where approval_id = $1 and type = 'approval.taken-back'`,
      [asked.id],
    ),
  ).toEqual([
    {
      actor: 'api:nora',
      data: { decision: 'approved', of: 'console:oidc:olivia', reason: 'account-removed' },
    },
  ]);
});

it('sessions and decisions of a provider end when a replica starts with another one', async () => {
  const { body: asked } = await api.enqueue({ toolInput: { command: 'terraform apply' } });
  const olivia = new Browser();
  await olivia.signIn(OLIVIA);
  expect((await olivia.approve(asked.id)).decisions).toHaveLength(1);
  const another = await openTestApp(database.url, {
    OIDC_ISSUER: 'https://login.another.example',
    OIDC_CLIENT_ID: CLIENT.id,
    OIDC_CLIENT_SECRET: CLIENT.secret,
  });
  try {
    expect(await olivia.isSignedIn).toBe(false);
    expect((await api.get(asked.id)).body.decisions).toEqual([]);
    // The replica with the provider from before opens no session that counts.
    await olivia.signIn(OLIVIA);
    expect(await olivia.isSignedIn).toBe(false);
  } finally {
    await another.close();
    await database.query('update oidc_provider set issuer = $1', [provider.issuer]);
  }
});

it('a decision counts in the receipt that is being stored while its provider is replaced', async () => {
  const { body: asked } = await api.enqueue({ toolInput: { command: 'terraform apply' } });
  const [olivia, sam] = [new Browser(), new Browser()];
  await olivia.signIn(OLIVIA);
  await sam.signIn({ sub: 'sub-sam' });
  await olivia.approve(asked.id);
  const held = await holdCommits(database);
  const settled = sam.approve(asked.id);
  await until('the approval is being stored', async () => (await held.waiting()) === 1);
  let isOpen = false;
  const another = openTestApp(database.url, {
    OIDC_ISSUER: 'https://login.another.example',
    OIDC_CLIENT_ID: CLIENT.id,
    OIDC_CLIENT_SECRET: CLIENT.secret,
  }).finally(() => (isOpen = true));
  await until('the replica waits', async () => isOpen || (await held.waiting()) === 2);
  await held.release();
  try {
    expect((await settled).status).toBe('approved');
    await another;
    const { body } = await api.get(asked.id);
    expect([body.status, (body.decisions as unknown[]).length]).toEqual(['approved', 2]);
  } finally {
    await (await another).close();
    await database.query('update oidc_provider set issuer = $1', [provider.issuer]);
  }
});

it('signing out everywhere ends all sessions of the person', async () => {
  const [one, other] = [new Browser(), new Browser()];
  for (const each of [one, other]) await each.signIn(OLIVIA);
  expect((await other.send('DELETE', '/console/sessions')).status).toBe(204);
  expect(await one.isSignedIn).toBe(false);
});

it('a provider that fails is an outage, and none as soon as it answers', async () => {
  const browser = new Browser();
  const answer = await provider.approve(await browser.begin(), OLIVIA);
  provider.fails = 502;
  expect(await browser.present(answer)).toMatchObject({ status: 503, code: 'oidc.unavailable' });
  provider.fails = null;
  expect((await browser.signIn(OLIVIA)).status).toBe(204);
});

it('another page begins no sign-in', async () => {
  const answer = await fetch(`${app.url}/console/oidc/sign-in`, {
    method: 'POST',
    headers: { origin: 'https://evil.example', 'x-countersign-console': '1' },
  });
  expect(answer.status).toBe(403);
  expect(answer.headers.getSetCookie()).toEqual([]);
});

it('twenty refused answers of one address within a minute are answered, and a person still signs in', async () => {
  const browser = new Browser('127.0.2.1');
  for (let attempt = 0; attempt < 20; attempt++)
    expect((await browser.present('?state=unknown&code=unknown')).status).toBe(401);
  expect((await browser.present('?state=unknown&code=unknown')).status).toBe(429);
  expect((await browser.signIn(OLIVIA)).status).toBe(204);
});
