import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { Api } from '../support/api';
import { ConsoleBrowser, findBarriers, hasBrowser } from '../support/console';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey, keyIs } from '../support/keys';
import { openTestApp, type OpenApp } from '../support/open-app';
import { CLIENT } from '../support/openid-provider';
import { localhostOf } from '../support/passkeys';

if (!hasBrowser)
  console.warn('SKIPPED: OpenID Connect was not tested, there is no browser (set CHROMIUM_PATH)');

const PEOPLE = {
  olivia: { email: 'olivia@example.org' },
  sam: { subject: 'sam' },
  ulla: { email: 'unverified@example.org' },
};

(hasBrowser ? describe : xdescribe)('a sign-in at a real OpenID provider', () => {
  let provider: ChildProcess;
  let issuer: string;
  let database: TestDatabase;
  let app: OpenApp;
  let person: ConsoleBrowser;
  let admin: string;

  const told = async () => (await once(provider, 'message'))[0] as { issuer?: string };

  async function apply(people: object): Promise<void> {
    const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/json' };
    const { version } = (await (await fetch(`${app.url}/api/policy`, { headers })).json()) as {
      version: string | null;
    };
    const replaces = version === null ? { 'if-none-match': '*' } : { 'if-match': version };
    const body = JSON.stringify({ version: 1, people, rules: [] });
    const answer = await fetch(`${app.url}/api/policy`, {
      method: 'PUT',
      headers: { ...headers, ...replaces },
      body,
    });
    expect(answer.status).toBe(200);
  }

  beforeAll(async () => {
    provider = fork(join(__dirname, '../support/oidc-provider.mjs'), { stdio: 'ignore' });
    issuer = (await told()).issuer ?? '';
    database = await createTestDatabase();
    app = await openTestApp(database.url, {
      OIDC_ISSUER: issuer,
      OIDC_CLIENT_ID: CLIENT.id,
      OIDC_CLIENT_SECRET: CLIENT.secret,
    });
    // Another host name than the provider's: the way back is from another site, as it is in production.
    const redirect = `${localhostOf(app)}/console/oidc/callback`;
    provider.send({
      client: { client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [redirect] },
    });
    await told();
    admin = await issueKey(database, 'admin', 'nora', 'nora');
    await keyIs(true, app.url, admin);
    await apply(PEOPLE);
    person = await ConsoleBrowser.open(localhostOf(app));
  });
  afterAll(async () => {
    await person.close();
    await app.close();
    await database.drop();
    provider.kill();
  });
  afterEach(async () => {
    await person.leave();
    expect(person.faults.splice(0)).toEqual([]);
  });

  /** Goes from a page of the console to the provider, up to its question for consent. */
  async function goToProvider(name: string, path = '/console'): Promise<Page> {
    const page = await person.page(path);
    page.setDefaultTimeout(20_000);
    // The provider's pages want a font of the internet.
    await page.route('https://**', (route) => route.abort());
    await page.getByRole('button', { name: `Sign in with ${new URL(issuer).host}` }).click();
    await page.locator('input[name=login]').fill(name);
    await page.locator('input[name=password]').fill('any');
    await page.getByRole('button', { name: 'Sign-in' }).click();
    return page;
  }

  async function signIn(name: string, path?: string): Promise<Page> {
    const page = await goToProvider(name, path);
    await page.getByRole('button', { name: 'Continue' }).click();
    return page;
  }

  it('brings a person back to the view from which they came, who then decides', async () => {
    const asked = await new Api(app.url).enqueue();
    const page = await signIn('olivia', `/console/requests/${asked.body.id}`);
    await page.getByTitle('Signed in as olivia').waitFor();
    expect(page.url()).toBe(`${localhostOf(app)}/console/requests/${asked.body.id}`);
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByText('Approved', { exact: true }).first().waitFor();
    expect((await new Api(app.url).get(asked.body.id)).body.decision?.by).toMatchObject({
      id: 'oidc:olivia',
    });
  });

  it.each([
    [
      'somebody whom the policy does not name',
      'eve',
      /names no person with your account: an admin may add eve@example.org/,
    ],
    [
      'a person whose e-mail is not verified',
      'unverified',
      /has verified no e-mail address of yours.*"unverified"/,
    ],
  ])('tells %s so, and leaves nothing in the address', async (_, name, words) => {
    const page = await signIn(name);
    await page.getByRole('alert').getByText(words).waitFor();
    expect(page.url()).toBe(`${localhostOf(app)}/console`);
    expect(await findBarriers(page)).toEqual([]);
  });

  it('gives no rights of an admin, and makes no passkey, also not past the page', async () => {
    await apply({ ...PEOPLE, olivia: { ...PEOPLE.olivia, groups: ['admins'] } });
    const page = await signIn('olivia');
    await page.getByTitle('Signed in as olivia').waitFor();
    const call = (method: string, path: string, body: object) =>
      page.evaluate<{ status: number; code: string }>(`fetch('${path}', {
        method: '${method}', body: '${JSON.stringify(body)}',
        headers: { 'content-type': 'application/json', 'if-none-match': '*',
          'x-countersign-console': sessionStorage.getItem('countersign-console') },
      }).then(async (answer) => ({ status: answer.status, code: (await answer.json()).code }))`);
    const { body: asked } = await new Api(app.url).enqueue();
    for (const [method, path, body] of [
      ['PUT', '/api/policy', { version: 1, rules: [] }],
      ['DELETE', `/api/approvals/${asked.id}/input`, { reason: 'a password' }],
    ] as const)
      expect(await call(method, path, body)).toEqual({ status: 403, code: 'access.forbidden' });
    for (const path of ['consents', 'enrolments'])
      expect(await call('POST', `/console/passkeys/${path}`, {})).toEqual({
        status: 401,
        code: 'access.unauthenticated',
      });
    expect(await call('POST', '/console/passkeys/invites', { person: 'sam' })).toEqual({
      status: 403,
      code: 'passkey.refused',
    });
    expect(await database.query('select from passkeys')).toEqual([]);
    await apply(PEOPLE);
  });

  it('is no use to another browser, which gets the address', async () => {
    const page = await goToProvider('olivia');
    const way = page.waitForRequest((request) => request.url().includes('/console/oidc/callback'));
    await page.route('**/console/oidc/callback*', (route) => route.abort());
    await page.getByRole('button', { name: 'Continue' }).click();
    const { pathname, search } = new URL((await way).url());
    const other = await person.page(`${pathname}${search}`);
    await other
      .getByRole('alert')
      .getByText(/was begun in another browser/)
      .waitFor();
  });

  it('ends when the policy names the person no more', async () => {
    const page = await signIn('olivia');
    await page.getByTitle('Signed in as olivia').waitFor();
    await apply({ sam: PEOPLE.sam });
    await page.getByRole('heading', { name: 'Sign in to Countersign' }).waitFor();
    await apply(PEOPLE);
  });
});
