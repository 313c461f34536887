import { Api } from '../support/api';
import { ConsoleBrowser, findBarriers, hasBrowser } from '../support/console';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey, keyIs } from '../support/keys';
import { openTestApp, type OpenApp } from '../support/open-app';

if (!hasBrowser) console.warn('SKIPPED: the policy view was not tested, there is no browser');

const RULES = `
version: 1
people:
  olivia: { groups: [admins] }
  sam: { groups: [sre] }
rules:
  - id: forbidden
    decision: deny
    match: { tool: [Write] }
`;

const WIDER = `${RULES}  - id: echo
    decision: allow
    match: { key: "*", tool: [Bash], command: { argv: [echo, hello] } }
`;

(hasBrowser ? describe : xdescribe)('the policy in the console', () => {
  let database: TestDatabase;
  let app: OpenApp;
  let api: Api;
  let person: ConsoleBrowser;
  let admin: string;
  let olivia: string;
  let sam: string;

  const put = (body: string, headers: Record<string, string>) =>
    fetch(`${app.url}/api/policy`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/yaml', ...headers },
      body,
    });
  const active = async () =>
    (await api.call<{ version: string; source: string; stopped: unknown }>('operator', 'GET', '/api/policy'))
      .body;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await openTestApp(database.url);
    api = new Api(app.url);
    person = await ConsoleBrowser.open(app.url);
    admin = await issueKey(database, 'admin', 'maria', 'maria');
    olivia = await issueKey(database, 'operator', 'olivia-laptop', 'olivia');
    sam = await issueKey(database, 'operator', 'sam-laptop', 'sam');
    for (const key of [admin, olivia, sam]) await keyIs(true, app.url, key);
  });
  afterAll(async () => {
    await person.close();
    await app.close();
    await database.drop();
  });
  afterEach(async () => {
    await person.leave();
    expect(person.faults.splice(0)).toEqual([]);
  });

  it('says that there is none', async () => {
    const page = await person.signedIn('/console/policy');
    await page.getByText('No policy yet').waitFor();
  });

  it('a person of the group admins writes a rule, sees the findings, tests it, and applies it', async () => {
    expect((await put(RULES, { 'if-none-match': '*' })).status).toBe(200);
    const { body: asked } = await api.enqueue({ toolInput: { command: 'echo hello' } });
    await fetch(`${app.url}/api/approvals/${asked.id}/decision`, {
      method: 'POST',
      headers: { authorization: `Bearer ${olivia}`, 'content-type': 'application/json' },
      body: JSON.stringify({ decision: 'rejected' }),
    });
    const page = await person.signedIn('/console/policy?place=edit', {}, olivia);
    const editor = page.getByRole('textbox', { name: 'Policy document' });
    await editor.fill(WIDER.replace('decision: allow', 'decision: perhaps'));
    await page.locator('.findings .error').first().waitFor();
    await page.locator('.findings .error').first().click();
    await page.locator('.cm-editor.cm-focused').waitFor();
    await editor.fill(WIDER);
    await page.locator('.findings .error').first().waitFor({ state: 'detached' });
    const apply = page.getByRole('button', { name: 'Apply', exact: true });
    expect(await apply.isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'Test on the last 7 days' }).click();
    await page.getByText('A person rejected this request').waitFor();
    await apply.click();
    expect((await active()).source).toBe(RULES);
    await page.getByRole('button', { name: 'Apply, and allow what people rejected' }).click();
    await page.getByText('This is the active document.').waitFor();
    expect((await active()).source).toBe(WIDER);
  });

  it('shows the history line by line, and rolls back', async () => {
    const page = await person.signedIn('/console/policy?place=history', {}, olivia);
    await page.locator('.added').getByText('argv: [echo, hello]').waitFor();
    await page.locator('.versions a').nth(1).click();
    await page.getByText('The first version').waitFor();
    await page.getByRole('button', { name: 'Make this version active again' }).click();
    await page.getByRole('button', { name: 'Roll back now' }).click();
    await page.getByText('Rolled back').waitFor();
    expect((await active()).source).toBe(RULES);
  });

  it('anybody stops all rules, and only an admin lets them go on', async () => {
    const page = await person.signedIn('/console/policy', {}, sam);
    await page.getByRole('button', { name: 'Stop all rules' }).click();
    await page.getByRole('button', { name: 'Stop now' }).click();
    await page.getByText('everything asks').waitFor();
    expect(await page.getByRole('button', { name: 'Resume' }).count()).toBe(0);
    const lead = await person.signedIn('/console/policy', {}, olivia);
    await lead.getByRole('button', { name: 'Resume' }).click();
    await lead.getByRole('button', { name: 'Stop all rules' }).waitFor();
    expect((await active()).stopped).toBeNull();
  });

  it('nobody else applies, also not past the page', async () => {
    const page = await person.signedIn('/console/policy?place=edit', {}, sam);
    await page.getByText('An admin applies').waitFor();
    expect(await page.getByRole('button', { name: 'Apply' }).count()).toBe(0);
    const refused = await page.evaluate<number>(`fetch('/api/policy', {
      method: 'PUT', body: 'version: 1',
      headers: { 'content-type': 'application/yaml', 'if-match': '"${(await active()).version}"',
        'x-countersign-console': sessionStorage.getItem('countersign-console') },
    }).then(({ status }) => status)`);
    expect(refused).toBe(403);
  });

  it('a change that needs two people is proposed by one and applied by the other', async () => {
    const two = RULES.replace(
      'sam: { groups: [sre] }',
      'sam: { groups: [sre, admins] }\nchanges: { widening: 2 }',
    );
    expect((await put(two, { 'if-match': (await active()).version })).status).toBe(200);
    const page = await person.signedIn('/console/policy?place=edit', {}, olivia);
    await page.getByRole('textbox', { name: 'Policy document' }).fill(WIDER);
    await page.getByRole('button', { name: 'Test on the last 7 days' }).click();
    await page.getByRole('button', { name: 'Apply', exact: true }).click();
    await page.getByRole('button', { name: 'Apply, and allow what people rejected' }).click();
    await page.getByRole('alert').getByText('two people').waitFor();
    await page.getByRole('button', { name: 'Propose to a second person' }).click();
    await page.getByText('Proposed.').waitFor();
    const second = await person.signedIn('/console/policy?place=proposals', {}, sam);
    await second.locator('.added').getByText('argv: [echo, hello]').waitFor();
    await second.getByRole('button', { name: 'Apply as second person' }).click();
    await second.getByRole('button', { name: 'Apply now' }).click();
    await second.getByText('No proposals').waitFor();
    expect((await active()).source).toBe(WIDER);
  });

  it.each(['document', 'edit', 'history', 'proposals'])(
    'has no barrier at %s, light and dark',
    async (place) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await person.signedIn(`/console/policy?place=${place}`, { colorScheme }, olivia);
        await page.locator('.tabs').waitFor();
        if (place === 'edit') await page.getByRole('textbox', { name: 'Policy document' }).waitFor();
        await page.locator('.spinner').first().waitFor({ state: 'detached' });
        expect(await findBarriers(page)).toEqual([]);
      }
    },
  );
});
