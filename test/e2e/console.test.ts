import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { Api } from '../support/api';
import { ConsoleBrowser, findBarriers, hasBrowser } from '../support/console';
import { issueKey, keyIs } from '../support/keys';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { CHECKOUT } from '../support/processes';
import { OPERATOR_KEY } from '../support/well-known';
import { until } from '../support/until';

if (!hasBrowser) console.warn('SKIPPED: the console was not tested, there is no browser (set CHROMIUM_PATH)');

const EDIT = {
  toolName: 'Edit',
  toolInput: {
    file_path: '/home/dev/shop/config/payments.yaml',
    old_string: 'mode: test\nretries: 3\n',
    new_string: 'mode: live\nretries: 3\n',
  },
  cwd: '/home/dev/shop',
};

const QUORUM = `
version: 1
people:
  olivia: { groups: [sre, leads] }
  sam: { groups: [sre] }
rules:
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, apply]] } }
    class: critical
classes:
  critical: { approvals: 2, from: [sre, leads] }
`;

(hasBrowser ? describe : xdescribe)('the console in a browser', () => {
  let database: TestDatabase;
  let app: OpenApp;
  let api: Api;
  let person: ConsoleBrowser;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await openTestApp(database.url);
    api = new Api(app.url);
    person = await ConsoleBrowser.open(app.url);
  });
  afterAll(async () => {
    await person.close();
    await app.close();
    await database.drop();
  });
  afterEach(async () => {
    await person.leave();
    for (const { id } of await api.list('status=pending')) await api.cancel(id, 'the test is over');
    expect(person.faults.splice(0)).toEqual([]);
  });

  const rowOf = (page: Page, text: string) => page.locator('.row').filter({ hasText: text });
  const sessions = () => database.query('select * from console_sessions');

  it('signs in with an operator key, which the page does not keep, and signs out', async () => {
    const page = await person.signedIn();
    expect(
      await page.evaluate<string>(
        'JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }])',
      ),
    ).not.toContain(OPERATOR_KEY);
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ name: 'countersign', httpOnly: true, sameSite: 'Strict' });
    expect(await sessions()).toHaveLength(1);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Operator key').waitFor();
    expect(await page.context().cookies()).toEqual([]);
    expect(await sessions()).toHaveLength(0);
  });

  it('refuses a wrong key in words, and writes the refusal into the audit log', async () => {
    const page = await person.page();
    await page.getByLabel('Operator key').fill('cso_this-is-not-a-key-of-anybody-at-all');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('alert').getByText('This is not a valid operator key').waitFor();
    const refused = `select 1 from audit_log where type = 'access.unauthenticated' and data like '%/console/session%'`;
    expect(await database.query(refused)).not.toEqual([]);
  });

  it('is sent with a policy that lets nothing inline or foreign run, and with files that never change', async () => {
    const page = await fetch(`${app.url}/console/requests/1`);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toContain('unsafe');
    const [script = ''] = /\/console\/assets\/main-\w+\.mjs/.exec(await page.text()) ?? [];
    const { headers } = await fetch(`${app.url}${script}`);
    expect(headers.get('cache-control')).toContain('immutable');
  });

  it('sends at most 350 kB for the first view', () => {
    const folder = join(CHECKOUT, 'dist/console');
    const read = (name: string) => readFileSync(join(folder, name));
    const files = new Set(readdirSync(folder).filter((name) => /\.(html|css)$|^main-.*\.mjs$/.test(name)));
    // With what they import at once; a view that loads when it is opened is imported by a call.
    for (const name of files)
      for (const [, chunk = ''] of read(name)
        .toString()
        .matchAll(/(?:from|import)\s*"\/console\/assets\/([\w-]+\.mjs)"/g))
        files.add(chunk);
    expect(files.size).toBeGreaterThan(3);
    const sizes = [...files].map((name) => gzipSync(read(name)).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(350_000);
  });

  it('shows a new request by itself, decides it with a reason, and the agent has its answer', async () => {
    const page = await person.signedIn();
    await page.getByText('Nothing waits for you').waitFor();
    const { body: asked } = await api.enqueue({ toolInput: { command: 'make deploy\necho \u200bdone' } });
    const waiting = api.get(asked.id, 50);
    await rowOf(page, 'make deploy').click();
    await page.locator('mark').getByText('\\u{200b}').waitFor();
    await page.getByLabel('Reason').fill('the release is signed off');
    await page.getByRole('button', { name: 'Approve' }).click();
    expect((await waiting).body).toMatchObject({
      status: 'approved',
      decision: {
        by: { kind: 'console', id: 'bootstrap-operator' },
        reason: 'the release is signed off',
      },
    });
    await page.locator('.outcome').getByText('the release is signed off').waitFor();
    await rowOf(page, 'make deploy').waitFor({ state: 'detached' });
  });

  it('verifies the receipt in the browser', async () => {
    const { body: asked } = await api.enqueue();
    await api.decide(asked.id, 'rejected');
    const page = await person.signedIn(`/console/requests/${asked.id}`);
    await page.getByText('verified in this browser').waitFor();
  });

  it('shows an edit as a change, and rejects it with the keyboard alone', async () => {
    const { body: asked } = await api.enqueue(EDIT);
    const page = await person.signedIn();
    await rowOf(page, 'payments.yaml').waitFor();
    await page.keyboard.press('j');
    await page.locator('.removed').getByText('mode: test').waitFor();
    await page.locator('.added').getByText('mode: live').waitFor();
    await page.keyboard.press('r');
    expect((await api.get(asked.id)).body.status).toBe('pending');
    await page.keyboard.press('Enter');
    await page.locator('.outcome.rejected').waitFor();
    expect((await api.get(asked.id)).body.status).toBe('rejected');
  });

  it('claims the open request by a key, shows everybody who is on it, and gives it more time', async () => {
    const { body: asked } = await api.enqueue({ toolInput: { command: 'make deploy' } });
    const page = await person.signedIn(`/console/requests/${asked.id}`);
    const other = await person.signedIn();
    await page.getByRole('button', { name: 'I’m on it' }).waitFor();
    await page.keyboard.press('c');
    await page.getByRole('status').getByText('bootstrap-operator is on it').waitFor();
    await rowOf(other, 'make deploy').getByText('bootstrap-operator is on it').waitFor();
    await other.goto(`${app.url}/console/requests/${asked.id}`);
    await other.getByRole('button', { name: '+15 min' }).click();
    await page.getByText('gave it more time').waitFor();
    const { body } = await api.get(asked.id);
    expect(body).toMatchObject({ status: 'pending', claimedBy: { by: { kind: 'console' } } });
    expect(Date.parse(body.expiresAt) - Date.parse(asked.expiresAt)).toBe(15 * 60_000);
    expect(await findBarriers(page)).toEqual([]);
  });

  it('puts the request that ends first on top, whatever its session', async () => {
    await api.enqueue({ toolInput: { command: 'later' }, timeoutSeconds: 900, sessionId: 'one' });
    await api.enqueue({ toolInput: { command: 'first' }, timeoutSeconds: 300, sessionId: 'two' });
    const page = await person.signedIn();
    await rowOf(page, 'later').waitFor();
    expect(await page.locator('.row-line').allTextContents()).toEqual(['first', 'later']);
  });

  it('shows at once that somebody else has decided the open request', async () => {
    const { body: asked } = await api.enqueue();
    const page = await person.signedIn(`/console/requests/${asked.id}`);
    await page.getByRole('button', { name: 'Approve' }).waitFor();
    await api.decide(asked.id, 'rejected', 'not today');
    await page.locator('.outcome.rejected').getByText('not today').waitFor();
    expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0);
  });

  it('lists what was decided, filters it, and links to each', async () => {
    const { body: asked } = await api.enqueue({
      agentId: 'night-agent',
      toolInput: { command: 'rotate logs' },
    });
    await api.decide(asked.id, 'approved');
    const page = await person.signedIn();
    await page.keyboard.press('/');
    await page.keyboard.type('rotat');
    await page.keyboard.press('Enter');
    await page.locator('tbody tr').first().waitFor();
    await until('only its requests are listed', async () => (await page.locator('tbody tr').count()) === 1);
    await page.getByRole('link', { name: 'rotate logs' }).click();
    await page.locator('.outcome.approved').waitFor();
    expect(page.url()).toContain(asked.id);
  });

  it('goes back to the sign-in when the session ends while it is open', async () => {
    const page = await person.signedIn();
    await database.query('delete from console_sessions');
    await page.getByRole('link', { name: 'History' }).click();
    await page.getByLabel('Operator key').waitFor();
  });

  it('a link signs in by a click, leaves no trace in the address, and works once', async () => {
    await database.query('delete from console_sessions');
    const { body } = await api.call<{ token: string }>('operator', 'POST', '/console/links');
    const page = await person.page(`/console#link=${body.token}`);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    expect(page.url()).not.toContain(body.token);
    expect(await sessions()).toEqual([]);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByTitle('Signed in as bootstrap-operator').waitFor();
    const late = await person.page(`/console#link=${body.token}`);
    await late.getByRole('button', { name: 'Sign in', exact: true }).click();
    await late.getByRole('alert').getByText('This link was used or is too old').waitFor();
  });

  it('a second tab goes on with the session of the first, and “Sign out everywhere” ends both', async () => {
    await database.query('delete from console_sessions');
    const first = await person.signedIn();
    const second = await first.context().newPage();
    await second.goto(`${app.url}/console/system`);
    await second.getByRole('button', { name: 'Sign out everywhere' }).click();
    await second.getByLabel('Operator key').waitFor();
    expect(await sessions()).toEqual([]);
    await first.getByRole('link', { name: 'History' }).click();
    await first.getByLabel('Operator key').waitFor();
  });

  it('a form of another port decides nothing, although the browser sends the cookie', async () => {
    const page = await person.signedIn();
    const { body: asked } = await api.enqueue();
    const action = `${app.url}/api/approvals/${asked.id}/decision`;
    const body = `<form method="post" action="${action}" enctype="text/plain"><button name='{"decision":"approved","a":"' value='"}'>Win</button></form>`;
    const evil = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(body));
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
    await page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`);
    await page.getByRole('button', { name: 'Win' }).click();
    await page.getByText('media-type-unsupported').first().waitFor();
    expect((await api.get(asked.id)).body.status).toBe('pending');
    evil.closeAllConnections();
    evil.close();
  });

  it('says that it is offline, and shows afterwards what it has missed', async () => {
    const page = await person.signedIn();
    await page.getByText('Nothing waits for you').waitFor();
    const { port } = new URL(app.url);
    await app.close();
    await page.getByText('No connection to Countersign').waitFor();
    app = await openTestApp(database.url, { PORT: port });
    await api.enqueue({ toolInput: { command: 'while you were away' } });
    await rowOf(page, 'while you were away').waitFor();
    await page.getByText('No connection to Countersign').waitFor({ state: 'detached' });
  });

  it.each([
    ['the sign-in', null],
    ['the inbox', '/console'],
    ['the history', '/console/history'],
    ['the grants', '/console/grants'],
    ['the system', '/console/system'],
  ])('has no barrier on %s, light and dark', async (_, path) => {
    await api.enqueue(EDIT);
    for (const colorScheme of ['light', 'dark'] as const) {
      const page =
        path === null
          ? await person.page('/console', { colorScheme })
          : await person.signedIn(path, { colorScheme });
      await page.getByRole('heading', { level: 1 }).first().waitFor();
      await page.getByText('Loading…').first().waitFor({ state: 'detached' });
      expect(await findBarriers(page)).toEqual([]);
    }
  });

  it('says how many people must decide, counts one of them, and takes that back', async () => {
    const admin = await issueKey(database, 'admin', 'maria', 'maria');
    const olivia = await issueKey(database, 'operator', 'olivia-laptop', 'olivia');
    for (const key of [admin, olivia]) await keyIs(true, app.url, key);
    const applied = await fetch(`${app.url}/api/policy`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${admin}`,
        'content-type': 'application/yaml',
        'if-none-match': '*',
      },
      body: QUORUM,
    });
    expect(applied.status).toBe(200);
    const { body: asked } = await api.enqueue({ toolInput: { command: 'terraform apply' } });
    const page = await person.signedIn(`/console/requests/${asked.id}`, {}, olivia);
    await page.getByText('Needs 2 people of sre or leads.').waitFor();
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('Counted. Waits for others.').waitFor();
    expect((await api.get(asked.id)).body.status).toBe('pending');
    await page.getByRole('button', { name: 'Take mine back' }).click();
    await page.getByText('Counted. Waits for others.').waitFor({ state: 'detached' });
    const stranger = await person.signedIn(`/console/requests/${asked.id}`);
    await stranger.getByText('There is no request with this id.').waitFor();
  });
});
