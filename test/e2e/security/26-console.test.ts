import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { decodeJwt } from 'jose';
import { newKey, digestOf } from '../../../src/access/api-key';
import { KeyStore } from '../../../src/access/key-store';
import type { ApprovalJson } from '../../support/api';
import { issueKey } from '../../support/keys';
import { ownService } from '../../support/own-service';
import { inviteTo, localhostOf } from '../../support/passkeys';
import { AGENT_KEY, OPERATOR_KEY } from '../../support/well-known';
import { until } from '../../support/until';

const service = ownService();

interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** One call with any header, also those that fetch does not let a caller set. */
function send({ method = 'GET', path, headers = {}, body }: Sent): Promise<Got> {
  const { hostname, port } = new URL(service.app.url);
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      {
        hostname,
        port,
        path,
        method,
        headers: { ...(text === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      },
      (answer) => {
        let received = '';
        answer.on('data', (chunk: Buffer) => (received += chunk.toString()));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: received }),
        );
      },
    );
    call.on('error', reject);
    call.end(text);
  });
}

/** The headers that the console's page sends; before the sign-in it has no secret. */
const own = (secret = '1') => ({ 'x-countersign-console': secret, origin: service.app.url });

const cookieOf = ({ headers }: Got): string => (headers['set-cookie']?.[0] ?? '').split(';')[0] ?? '';

const secretOf = ({ headers }: Got): string => String(headers['x-countersign-console']);

const codeOf = ({ text }: Got): unknown => (JSON.parse(text) as { code: string }).code;

const signIn = (body: object = { key: OPERATOR_KEY }, headers: Record<string, string> = own()) =>
  send({ method: 'POST', path: '/console/session', body, headers });

const list = (cookie: string, headers: Record<string, string> = {}) =>
  send({ path: '/api/approvals', headers: { cookie, ...headers } });

const displayOf = async (id: string) =>
  (
    await service.api.call<{ display: string; displayDigest: string }>(
      'operator',
      'GET',
      `/api/approvals/${id}/display`,
    )
  ).body;

/** @param digest of what the page showed; by default what the service shows */
const decide = async (cookie: string, headers: Record<string, string>, digest?: string | null) => {
  const { body: asked } = await service.api.enqueue();
  const path = `/api/approvals/${asked.id}/decision`;
  const displayDigest = digest === undefined ? (await displayOf(asked.id)).displayDigest : digest;
  const body = { decision: 'approved', displayDigest };
  return send({ method: 'POST', path, body, headers: { cookie, ...headers } });
};

const audited = (type: string) =>
  service.database.query<{ actor: string }>('select actor from audit_log where type = $1', [type]);

it('an operator key opens a session, which does what the key may do and is recorded as the console', async () => {
  const opened = await signIn();
  expect(opened).toMatchObject({ status: 204, text: '' });
  expect(opened.headers['set-cookie']).toEqual([
    expect.stringMatching(/^countersign=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=43200$/),
  ]);
  const cookie = cookieOf(opened);
  expect((await list(cookie)).status).toBe(200);
  const decided = JSON.parse((await decide(cookie, own(secretOf(opened)))).text) as ApprovalJson;
  expect(decided).toMatchObject({
    status: 'approved',
    decision: { by: { kind: 'console', id: 'bootstrap-operator' } },
  });
  expect(await audited('console.signed-in')).toContainEqual({ actor: 'console:bootstrap-operator' });
});

it('the database has only digests of the session', async () => {
  const opened = await signIn();
  const token = cookieOf(opened).split('=')[1] ?? '';
  const rows = await service.database.query(
    'select digest from console_sessions where digest = $1 and page_digest = $2',
    [digestOf(token), digestOf(secretOf(opened))],
  );
  expect(rows).toHaveLength(1);
});

it.each([
  ['an agent key', AGENT_KEY],
  ['an unknown key', 'cso_unknown-unknown-unknown-unknown-unknown'],
])('%s opens none', async (_, key) => {
  const refused = await signIn({ key });
  expect(refused.status).toBe(401);
  expect(refused.headers['set-cookie']).toBeUndefined();
});

it('each sign-in has a new token, whatever cookie the browser brought', async () => {
  const brought = cookieOf(await signIn());
  const opened = await signIn({ key: OPERATOR_KEY }, { ...own(), cookie: brought });
  expect(cookieOf(opened)).not.toBe(brought);
  expect((await list(brought)).status).toBe(401);
});

it('a key has at most 20 sessions: the one that was used least recently ends', async () => {
  await service.database.query('delete from console_sessions');
  const first = cookieOf(await signIn());
  await service.database.query(`update console_sessions set used_at = used_at - interval '10 seconds'`);
  for (let n = 0; n < 20; n++) await signIn();
  expect(await service.database.query('select 1 from console_sessions')).toHaveLength(20);
  expect((await list(first)).status).toBe(401);
});

describe('26: the console lets nobody else in; a change with a session', () => {
  let cookie: string;
  let secret: string;
  beforeAll(async () => {
    const opened = await signIn();
    cookie = cookieOf(opened);
    secret = secretOf(opened);
  });

  it.each([
    ['without the header of the page', () => ({ origin: service.app.url })],
    ['from another origin', () => ({ ...own(secret), origin: 'https://evil.example' })],
    ['from another port of this machine', () => ({ ...own(secret), origin: 'http://127.0.0.1:8081' })],
    ['from a page without an origin', () => ({ ...own(secret), origin: 'null' })],
    [
      'from another site, without an origin',
      () => ({ 'x-countersign-console': secret, 'sec-fetch-site': 'same-site' }),
    ],
    ['that does not say where it comes from', () => ({ 'x-countersign-console': secret })],
  ])('is refused %s', async (_, headers: () => Record<string, string>) => {
    const refused = await decide(cookie, headers());
    expect(refused.status).toBe(403);
    expect(codeOf(refused)).toBe('access.cross-site');
    const signedIn = await signIn({ key: OPERATOR_KEY }, headers());
    expect(signedIn.status).toBe(403);
  });

  it.each([
    ['without the secret of its page', () => '1'],
    ['with a secret of another session', async () => secretOf(await signIn())],
  ])(
    'is refused %s: a cookie reaches every port of a host, and an origin can be forged',
    async (_, other) => {
      const headers = own(await other());
      const refused = await decide(cookie, headers);
      expect(refused.status).toBe(403);
      expect(codeOf(refused)).toBe('access.cross-site');
      for (const path of ['/console/session', '/console/sessions'])
        expect((await send({ method: 'DELETE', path, headers: { ...headers, cookie } })).status).toBe(403);
      expect((await list(cookie)).status).toBe(200);
    },
  );

  it('needs the secret so that the page counts as signed in', async () => {
    const read = async (headers: Record<string, string>) =>
      JSON.parse((await send({ path: '/console/session', headers: { cookie, ...headers } })).text) as unknown;
    expect(await read(own())).toEqual({ operator: null, provider: null });
    expect(await read(own(secret))).toEqual({
      operator: { key: 'bootstrap-operator', owner: null, person: null },
      provider: null,
    });
  });

  it('is accepted from the same origin as the browser says it', async () => {
    const headers = { 'x-countersign-console': secret, 'sec-fetch-site': 'same-origin' };
    expect((await decide(cookie, headers)).status).toBe(200);
  });

  it('is nothing under a name that another page has pointed here', async () => {
    const host = 'evil.example';
    const headers = { ...own(), host, origin: `http://${host}` };
    expect((await list(cookie, { host })).status).toBe(421);
    expect((await decide(cookie, headers)).status).toBe(421);
    expect((await signIn({ key: OPERATOR_KEY }, headers)).status).toBe(421);
    expect((await send({ path: '/console', headers: { host } })).status).toBe(421);
  });

  it('is nothing under a Host that is no address, also with a key', async () => {
    const headers = { host: 'localhost:99999', authorization: `Bearer ${OPERATOR_KEY}` };
    expect((await send({ path: '/console', headers })).status).toBe(421);
  });

  it('needs no such header with an API key', async () => {
    const { body } = await service.api.enqueue();
    expect((await service.api.decide(body.id, 'approved')).status).toBe(200);
  });
});

describe('a session ends', () => {
  it('12 hours after the sign-in, by the time of the database', async () => {
    const cookie = cookieOf(await signIn());
    await service.database.query(`update console_sessions set created_at = created_at - interval '12 hours'`);
    expect((await list(cookie)).status).toBe(401);
  });

  it('30 minutes after its last use', async () => {
    const cookie = cookieOf(await signIn());
    const wait = (minutes: number) =>
      service.database.query(`update console_sessions set used_at = now() - make_interval(mins => $1)`, [
        minutes,
      ]);
    await wait(29);
    expect((await list(cookie)).status).toBe(200);
    await wait(29);
    expect((await list(cookie)).status).toBe(200);
    await wait(30);
    expect((await list(cookie)).status).toBe(401);
  });

  it('when its person signs out, and is removed', async () => {
    const opened = await signIn();
    const other = cookieOf(await signIn());
    const headers = { ...own(secretOf(opened)), cookie: cookieOf(opened) };
    const out = await send({ method: 'DELETE', path: '/console/session', headers });
    expect(out).toMatchObject({ status: 204 });
    expect(out.headers['set-cookie']?.[0]).toContain('countersign=; ');
    expect((await list(cookieOf(opened))).status).toBe(401);
    expect((await list(other)).status).toBe(200);
    expect(await audited('console.signed-out')).toHaveLength(1);
  });

  it('when its person signs out everywhere', async () => {
    const other = cookieOf(await signIn());
    const opened = await signIn();
    const headers = { ...own(secretOf(opened)), cookie: cookieOf(opened) };
    expect((await send({ method: 'DELETE', path: '/console/sessions', headers })).status).toBe(204);
    for (const cookie of [other, cookieOf(opened)]) expect((await list(cookie)).status).toBe(401);
  });

  it('with what it has open when its person signs out everywhere', async () => {
    const opened = await signIn();
    const cookie = cookieOf(opened);
    const { hostname, port } = new URL(service.app.url);
    let isEnded = false;
    await new Promise<void>((resolve) => {
      httpRequest({ hostname, port, path: '/api/events', headers: { cookie } }, (answer) => {
        answer.resume().once('end', () => (isEnded = true));
        resolve();
      }).end();
    });
    const headers = { ...own(secretOf(opened)), cookie };
    await send({ method: 'DELETE', path: '/console/sessions', headers });
    // Less than a heartbeat, after which it ended before.
    await until('the stream ends', () => isEnded, 5_000);
  });

  it('with its key, and so does what it has open', async () => {
    const store = service.app.get(KeyStore);
    const key = newKey('operator');
    await store.add({ name: 'leaver', role: 'operator', owner: null, digest: digestOf(key) }, 'test');
    const cookie = await until('the key counts', async () => {
      const opened = await signIn({ key });
      return opened.status === 204 ? cookieOf(opened) : null;
    });
    const { hostname, port } = new URL(service.app.url);
    const ended = new Promise<void>((resolve) => {
      httpRequest({ hostname, port, path: '/api/events', headers: { cookie } }, (answer) => {
        answer.resume().once('end', resolve);
        void store.revoke('leaver', 'test');
      }).end();
    });
    await ended;
    expect((await list(cookie)).status).toBe(401);
  });
});

describe('a link', () => {
  const make = async () => {
    const { body } = await service.api.call<{ token: string }>('operator', 'POST', '/console/links');
    return body.token;
  };

  it('signs in once', async () => {
    const link = await make();
    expect((await signIn({ link })).status).toBe(204);
    expect((await signIn({ link })).status).toBe(401);
  });

  it('signs one of two people in who use it at the same time', async () => {
    const link = await make();
    const statuses = (await Promise.all([signIn({ link }), signIn({ link })])).map(({ status }) => status);
    expect(statuses.sort()).toEqual([204, 401]);
  });

  it('is valid for 15 minutes', async () => {
    const link = await make();
    await service.database.query(`update console_links set expires_at = expires_at - interval '15 minutes'`);
    expect((await signIn({ link })).status).toBe(401);
  });

  it('is made with the key itself, not with a session, and by no agent', async () => {
    const opened = await signIn();
    const headers = { ...own(secretOf(opened)), cookie: cookieOf(opened) };
    const refused = await send({ method: 'POST', path: '/console/links', headers });
    expect(refused.status).toBe(403);
    expect((await service.api.call('agent', 'POST', '/console/links')).status).toBe(403);
  });
});

describe('an invitation to make a passkey', () => {
  const begin = (invite: string) => {
    const origin = localhostOf(service.app);
    const headers = { 'x-countersign-console': '1', origin, host: new URL(origin).host };
    return send({ method: 'POST', path: '/console/passkeys/enrolments', body: { invite }, headers });
  };
  beforeAll(() => issueKey(service.database, 'operator', 'olivia-laptop', 'olivia'));

  it('is used up by the first browser that begins with it', async () => {
    const token = await inviteTo(service.app, 'olivia');
    const statuses = (await Promise.all([begin(token), begin(token)])).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 401]);
    expect((await begin(token)).status).toBe(401);
  });

  it('is valid for 15 minutes', async () => {
    const token = await inviteTo(service.app, 'olivia');
    await service.database.query(
      `update passkey_invites set expires_at = expires_at - interval '15 minutes'`,
    );
    expect((await begin(token)).status).toBe(401);
  });
});

describe('limits', () => {
  const limited = ownService();

  it('failed attempts to sign in are limited, and keep out nobody with a valid key', async () => {
    const headers = {
      'content-type': 'application/json',
      'x-countersign-console': '1',
      origin: limited.app.url,
    };
    const attempt = async (key = 'wrong') => {
      const body = JSON.stringify({ key });
      const { status } = await fetch(`${limited.app.url}/console/session`, { method: 'POST', headers, body });
      return status;
    };
    const statuses: number[] = [];
    for (let n = 0; n < 21; n++) statuses.push(await attempt());
    expect(new Set(statuses.slice(0, 20))).toEqual(new Set([401]));
    expect(statuses[20]).toBe(429);
    expect(await attempt(OPERATOR_KEY)).toBe(204);
    expect(await attempt()).toBe(429);
  });
});

describe('behind a proxy with TLS', () => {
  const behind = ownService({ CONSOLE_URL: 'https://countersign.example.com' });

  it('the cookie is for that host alone, and only over HTTPS', async () => {
    const { hostname, port } = new URL(behind.app.url);
    const host = 'countersign.example.com';
    const headers = {
      host,
      origin: `https://${host}`,
      'x-countersign-console': '1',
      'content-type': 'application/json',
    };
    const cookies = await new Promise<readonly string[] | undefined>((resolve, reject) => {
      const call = httpRequest(
        { hostname, port, method: 'POST', path: '/console/session', headers },
        (answer) => resolve(answer.resume().headers['set-cookie']),
      );
      call.on('error', reject);
      call.end(JSON.stringify({ key: OPERATOR_KEY }));
    });
    expect(cookies).toEqual([
      expect.stringMatching(/^__Host-countersign=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/; .*; Secure$/),
    ]);
  });
});

describe('a decision in the console names what the page showed', () => {
  const signedIn = async () => {
    const opened = await signIn();
    return [cookieOf(opened), own(secretOf(opened))] as const;
  };

  it('decision and receipt carry the digest of exactly that text', async () => {
    const [cookie, headers] = await signedIn();
    const { id, receipt, decisions } = JSON.parse((await decide(cookie, headers)).text) as ApprovalJson & {
      decisions: unknown[];
    };
    const { display } = await displayOf(id);
    const displayDigest = `sha256:${createHash('sha256').update(display).digest('hex')}`;
    expect(decisions).toMatchObject([{ via: 'console', displayDigest }]);
    expect(decodeJwt(receipt as string)).toMatchObject({ displayDigest });
  });

  it.each([
    ['another text', `sha256:${'0'.repeat(64)}`, 409, 'approval.shown-otherwise'],
    ['no text', null, 400, 'request.invalid'],
  ])('over %s it decides nothing', async (_, digest, status, code) => {
    const [cookie, headers] = await signedIn();
    const refused = await decide(cookie, headers, digest);
    expect({ status: refused.status, code: codeOf(refused) }).toEqual({ status, code });
    const [newest] = await service.api.list('limit=1');
    expect(newest?.status).toBe('pending');
  });

  it('a program may name it, too, and a grant also does', async () => {
    const { body: asked } = await service.api.enqueue({ toolInput: { command: 'npm run lint' } });
    const { body: offered } = await service.api.call<{ offers: { id: string }[] }>(
      'operator',
      'GET',
      `/api/approvals/${asked.id}/grant-offers`,
    );
    const grant = (displayDigest: string) =>
      service.api.call('operator', 'POST', '/api/grants', {
        approvalId: asked.id,
        offer: offered.offers[0]?.id,
        displayDigest,
      });
    expect((await grant(`sha256:${'0'.repeat(64)}`)).status).toBe(409);
    const { displayDigest } = await displayOf(asked.id);
    expect((await grant(displayDigest)).status).toBe(201);
    const { receipt } = (await service.api.get(asked.id)).body;
    expect(decodeJwt(receipt as string)).toMatchObject({ displayDigest });
  });
});

describe('a policy document of more than 256 KiB', () => {
  const check = (headers: Record<string, string>) => {
    const { hostname, port } = new URL(service.app.url);
    const rules = Array.from(
      { length: 900 },
      (_, index) => `
  - { id: rule-${index}, decision: deny, match: { tool: [tool-${'x'.repeat(300)}] } }`,
    );
    return new Promise<number>((resolve, reject) => {
      const all = { 'content-type': 'application/yaml', ...own(), ...headers };
      const call = httpRequest(
        { hostname, port, path: '/api/policy/check', method: 'POST', headers: all },
        (answer) => resolve(answer.resume().statusCode ?? 0),
      );
      call.on('error', reject).end(`version: 1\nrules:${rules.join('')}`);
    });
  };

  it('is read with a session, and not without one', async () => {
    const opened = await signIn();
    const cookie = cookieOf(opened);
    expect(await check({ cookie, ...own(secretOf(opened)) })).toBe(200);
    expect(await check({ cookie })).toBe(413);
    expect(await check({})).toBe(413);
  });
});
