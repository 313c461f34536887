import { Api } from '../support/api';
import { ConsoleBrowser, findBarriers, hasBrowser } from '../support/console';
import { issueKey, keyIs } from '../support/keys';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { inviteTo, localhostOf, plugIn } from '../support/passkeys';

if (!hasBrowser) console.warn('SKIPPED: passkeys were not tested, there is no browser (set CHROMIUM_PATH)');

(hasBrowser ? describe : xdescribe)('passkeys in a browser', () => {
  let database: TestDatabase;
  let app: OpenApp;
  let api: Api;
  let person: ConsoleBrowser;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await openTestApp(database.url);
    api = new Api(app.url);
    person = await ConsoleBrowser.open(localhostOf(app));
    for (const name of ['olivia', 'sam']) await issueKey(database, 'operator', `${name}-laptop`, name);
  });
  afterAll(async () => {
    await person.close();
    await app.close();
    await database.drop();
  });
  afterEach(async () => {
    await person.leave();
    await database.query('delete from passkeys');
    await database.query('delete from console_sessions');
    expect(person.faults.splice(0)).toEqual([]);
  });

  /** A page of somebody who has just made their first passkey. */
  async function enrolled(name: string, options: { verifiesUser?: boolean } = {}) {
    const page = await person.page(`/console#invite=${await inviteTo(app, name)}`);
    page.setDefaultTimeout(10_000);
    const unplug = await plugIn(page, options);
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    return { page, unplug };
  }

  const passkeys = () =>
    database.query<{ person: string }>('select person from passkeys where revoked_at is null');

  it('an invitation makes the first passkey by a click, which then signs in', async () => {
    const { page } = await enrolled('olivia');
    await page.getByTitle('Signed in as olivia').waitFor();
    expect(await passkeys()).toEqual([{ person: 'olivia' }]);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.getByTitle('Signed in as olivia').waitFor();
    const actors = await database.query<{ type: string; actor: string }>(
      `select type, actor from audit_log where type like 'passkey.%' or type = 'console.signed-in' order by seq`,
    );
    expect(actors).toEqual([
      { type: 'passkey.invited', actor: 'cli:test' },
      { type: 'passkey.made', actor: 'console:person:olivia' },
      { type: 'console.signed-in', actor: 'console:person:olivia' },
      { type: 'console.signed-in', actor: 'console:person:olivia' },
    ]);
  });

  it('opening the invitation uses nothing up, and leaves no trace in the address; it makes one passkey', async () => {
    const token = await inviteTo(app, 'olivia');
    const early = await person.page(`/console#invite=${token}`);
    await early.getByRole('heading', { name: 'Make your passkey' }).waitFor();
    expect(early.url()).not.toContain(token);
    expect(await findBarriers(early)).toEqual([]);
    const page = await person.page(`/console#invite=${token}`);
    await plugIn(page);
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByTitle('Signed in as olivia').waitFor();
    await plugIn(early);
    await early.getByRole('button', { name: 'Make a passkey' }).click();
    await early.getByRole('alert').getByText('This invitation was used or is too old').waitFor();
    expect(await passkeys()).toHaveLength(1);
  });

  it('a person adds another passkey with the first one; a link makes no second one', async () => {
    const { page, unplug } = await enrolled('olivia');
    await page.getByTitle('Signed in as olivia').waitFor();
    await expect(inviteTo(app, 'olivia')).rejects.toThrow('olivia has, or had, a passkey');
    await page.getByRole('link', { name: 'People' }).click();
    // The first device signs that she wants another one, and the second device makes it.
    await page.route('**/console/passkeys/enrolments', async (route) => {
      await unplug();
      await plugIn(page);
      await route.continue();
    });
    await page.getByRole('button', { name: 'Add a passkey of mine' }).click();
    await page.locator('tbody tr').nth(1).waitFor();
    expect(await passkeys()).toEqual([{ person: 'olivia' }, { person: 'olivia' }]);
    expect(await findBarriers(page)).toEqual([]);
  });

  it('an admin invites somebody who lost theirs, and nobody else does; an admin is never invited', async () => {
    const admin = await issueKey(database, 'admin', 'maria', 'maria');
    await keyIs(true, app.url, admin);
    const people = 'people: { olivia: {}, sam: { groups: [admins] }, paul: { groups: [admins] } }';
    const put = (body: string, match: object) =>
      fetch(`${app.url}/api/policy`, {
        method: 'PUT',
        body,
        headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/yaml', ...match },
      });
    const applied = await put(`version: 1\nrules: []\n${people}\n`, { 'if-none-match': '*' });
    expect(applied.status).toBe(200);
    const { version } = (await applied.json()) as { version: string };
    const { page: lost } = await enrolled('olivia');
    await lost.getByTitle('Signed in as olivia').waitFor();
    const { page } = await enrolled('sam');
    await enrolled('paul');
    const invite = async (by: typeof page, name: string) => {
      await by.getByLabel('Person').fill(name);
      await by.getByRole('button', { name: 'Invite' }).click();
    };
    for (const each of [lost, page]) {
      await each.getByRole('link', { name: 'People' }).click();
      await each.getByText('Invite to a further passkey').first().click();
    }
    const roster = page.getByRole('region', { name: 'People of the policy' });
    await roster.getByRole('row').filter({ hasText: 'paul' }).getByText('admins').waitFor();
    await invite(lost, 'Sam');
    await lost.getByRole('alert').getByText('Only a person in the group').waitFor();
    await invite(page, 'Sam');
    await page.getByRole('alert').getByText('Add a passkey of your own').waitFor();
    await invite(page, 'Paul');
    await page.getByRole('alert').getByText('An admin is not invited').waitFor();
    await invite(page, 'Olivia');
    const link = (await page.getByRole('status').locator('code').textContent()) ?? '';
    const found = await person.page(new URL(link).pathname + new URL(link).hash);
    await plugIn(found);
    await found.getByRole('button', { name: 'Make a passkey' }).click();
    await found.getByTitle('Signed in as olivia').waitFor();
    expect(await passkeys()).toHaveLength(4);
    // The tests behind this one know no people of a policy.
    expect((await put('version: 1\nrules: []\n', { 'if-match': version })).status).toBe(200);
  });

  it('a device that does not verify its user makes none', async () => {
    const { page } = await enrolled('olivia', { verifiesUser: false });
    await page.getByRole('alert').waitFor();
    expect(await passkeys()).toEqual([]);
  });

  it('an unknown passkey does not sign in', async () => {
    const { page } = await enrolled('olivia');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await database.query('delete from passkeys');
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.getByRole('alert').getByText('This passkey does not sign in here').waitFor();
  });

  it.each([
    ['the passkey', `update passkeys set revoked_at = now()`],
    ['the person', `update api_keys set revoked_at = now() where owner = 'olivia'`],
  ])('the open page of a person ends with %s', async (_, ending) => {
    const { page } = await enrolled('olivia');
    await page.getByText('Live', { exact: true }).waitFor();
    await database.query(ending);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).waitFor({ timeout: 5_000 });
    await database.query('update api_keys set revoked_at = null');
  });

  it('Approve asks for the passkey, which signs this very request', async () => {
    const { page } = await enrolled('olivia');
    const { body: asked } = await api.enqueue({ toolInput: { command: 'make deploy' } });
    await page.locator('.row').filter({ hasText: 'make deploy' }).click();
    await page.getByLabel('Reason').fill('the release is signed off');
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('verified in this browser').waitFor();
    const { body } = await api.get(asked.id);
    const claims = Buffer.from(String(body.receipt).split('.')[1] ?? '', 'base64url').toString();
    expect(body).toMatchObject({ status: 'approved', decision: { by: { id: 'person:olivia' } } });
    expect(JSON.parse(claims)).toMatchObject({
      assertions: [
        { statement: { approvalId: asked.id, person: 'olivia', reason: 'the release is signed off' } },
      ],
    });
  });

  it('removes a passkey in the console, and its session with it', async () => {
    const { page } = await enrolled('olivia');
    await page.getByRole('link', { name: 'People' }).click();
    await page.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('button', { name: 'Remove now' }).click();
    await page.getByRole('button', { name: 'Sign in with a passkey' }).waitFor();
    expect(await passkeys()).toEqual([]);
  });
});
