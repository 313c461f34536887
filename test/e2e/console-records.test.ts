import { readFileSync } from 'node:fs';
import { RecordStore } from '../../src/approvals/records/record-store';
import { exportedLog } from '../../src/cli/audit/log-source';
import { verifyChain } from '../../src/audit/verify-chain';
import { Api } from '../support/api';
import { ConsoleBrowser, findBarriers, hasBrowser } from '../support/console';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey, keyIs } from '../support/keys';
import { openTestApp, type OpenApp } from '../support/open-app';
import { OPERATOR_KEY } from '../support/well-known';
import { until } from '../support/until';

if (!hasBrowser) console.warn('SKIPPED: the records in the console were not tested, there is no browser');

const POLICY = `
version: 1
people:
  olivia: { groups: [admins] }
rules:
  - id: forbidden
    decision: deny
    match: { tool: [Write] }
`;

(hasBrowser ? describe : xdescribe)('the records in the console', () => {
  let database: TestDatabase;
  let app: OpenApp;
  let api: Api;
  let person: ConsoleBrowser;
  let olivia: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await openTestApp(database.url);
    api = new Api(app.url);
    person = await ConsoleBrowser.open(app.url);
    const admin = await issueKey(database, 'admin', 'maria', 'maria');
    olivia = await issueKey(database, 'operator', 'olivia-laptop', 'olivia');
    for (const key of [admin, olivia]) await keyIs(true, app.url, key);
    const applied = await fetch(`${app.url}/api/policy`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${admin}`,
        'content-type': 'application/yaml',
        'if-none-match': '*',
      },
      body: POLICY,
    });
    expect(applied.status).toBe(200);
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

  const sealed = () =>
    until('every row is sealed', async () => {
      const [row] = await database.query<{ n: string }>('select count(*) as n from audit_unsealed');
      return row?.n === '0';
    });

  it('the audit log is filtered, and verified in the browser up to a row that was altered', async () => {
    await api.enqueue();
    await api.call('operator', 'POST', '/api/audit/checkpoints');
    await sealed();
    const page = await person.signedIn('/console/audit?type=approval');
    await page.getByText('approval.enqueued').waitFor();
    expect(await page.getByText('console.signed-in').count()).toBe(0);
    await page.getByRole('button', { name: 'Verify in this browser' }).click();
    await page.getByText('The log holds').waitFor();

    const saving = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download the log' }).click();
    const path = await (await saving).path();
    expect(readFileSync(path, 'utf8')).toContain('"keys":');
    const { batches, checkpoints, keys } = await exportedLog(path);
    expect(await verifyChain({ batches, checkpoints, keys })).toMatchObject({ firstBad: null });

    const [bad] = await database.query<{ seq: string }>(
      `select seq from audit_log where type = 'approval.enqueued' order by seq desc limit 1`,
    );
    await database.query(`update audit_log set actor = 'api:somebody-else' where seq = ${bad?.seq}`);
    await page.getByRole('button', { name: 'Verify in this browser' }).click();
    await page.getByText(`The log does not hold. First bad row: ${bad?.seq}.`).waitFor();
    await database.query(`update audit_log set actor = 'api:bootstrap-agent' where seq = ${bad?.seq}`);
  });

  it('only an admin erases the input of a request, which every view then says', async () => {
    const { body } = await api.enqueue({ toolInput: { command: 'login --password hunter2' } });
    const path = `/console/requests/${body.id}`;
    const admin = await person.signedIn(path, {}, olivia);
    await admin.getByText('hunter2').first().waitFor();
    expect(await admin.getByText('Erase the input').count()).toBe(0);
    await api.call('agent', 'POST', `/api/approvals/${body.id}/cancel`);
    await admin.getByText('Erase the input').click();
    await admin.getByLabel('Reason', { exact: true }).fill('a password');
    expect(await findBarriers(admin)).toEqual([]);
    await admin.getByRole('button', { name: 'Erase', exact: true }).click();
    await admin.getByRole('button', { name: 'Erase now, for ever' }).click();
    await admin.getByText('Erased by olivia: a password').waitFor();
    expect(await admin.getByText('hunter2').count()).toBe(0);

    const operator = await person.signedIn(path);
    await operator.getByText('Erased by olivia: a password').waitFor();
    expect(await operator.getByText('Erase the input').count()).toBe(0);
  });

  it('keys have their last use, and only an admin revokes one', async () => {
    const lost = await issueKey(database, 'agent', 'lost-laptop', 'sam');
    await keyIs(true, app.url, lost);
    const operator = await person.signedIn('/console/keys');
    await operator.getByText('lost-laptop').waitFor();
    expect(await operator.getByRole('button', { name: 'Revoke' }).count()).toBe(0);
    expect((await api.call('operator', 'DELETE', '/api/keys/lost-laptop')).status).toBe(403);

    const page = await person.signedIn('/console/keys', {}, olivia);
    const row = page.getByRole('row').filter({ hasText: 'lost-laptop' });
    await row.getByRole('button', { name: 'Revoke' }).click();
    await row.getByRole('button', { name: 'Revoke now' }).click();
    await row.getByText('Revoked').waitFor();
    await keyIs(false, app.url, lost);
    const [audited] = await database.query<{ actor: string }>(
      `select actor from audit_log where type = 'access.key-revoked'`,
    );
    expect(audited?.actor).toBe('console:olivia-laptop');
  });

  it('insight shows what ended, by outcome and by tool, and finds no rule in so little', async () => {
    const { body: asked } = await api.enqueue({ toolInput: { command: 'uptime' } });
    await api.cancel(asked.id, 'not needed');
    await until('it is recorded', async () => {
      await app.get(RecordStore).record(0);
      const [row] = await database.query<{ n: number }>('select count(*)::int as n from insight_hours');
      return (row?.n ?? 0) > 0;
    });
    const page = await person.signedIn('/console/insight');
    await page.locator('.plot canvas').nth(1).waitFor();
    await page.getByRole('row').filter({ hasText: 'Bash' }).waitFor();
    await page.getByRole('link', { name: '24 hours' }).click();
    await page.getByText('Show as a table').click();
    await page.getByRole('columnheader', { name: 'Time', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Find rules' }).click();
    await page.getByText('No rule would save cards').waitFor();
  });

  it('history finds words with other filters, and the whole list is saved as CSV', async () => {
    const { body: asked } = await api.enqueue({ toolInput: { command: '=cmd|calc' }, agentId: '=night' });
    await api.cancel(asked.id, 'not needed');
    await api.enqueue({ toolInput: { command: 'echo calculated' } });
    const page = await person.signedIn('/console/history?q=calc&status=cancelled');
    await page.getByRole('link', { name: '=cmd|calc' }).waitFor();
    expect(await page.locator('tbody tr').count()).toBe(1);
    const saving = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Save as CSV' }).click();
    const lines = readFileSync(await (await saving).path(), 'utf8').split('\r\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toContain(`"'=night"`);
    const all = await fetch(`${app.url}/api/approvals/export?q=calc`, {
      headers: { authorization: `Bearer ${OPERATOR_KEY}` },
    });
    const exported = (await all.text()).trimEnd().split('\n');
    expect(exported.map((line) => (JSON.parse(line) as { status: string }).status)).toEqual([
      'pending',
      'cancelled',
    ]);
    expect((await api.call('agent', 'GET', '/api/approvals?q=calc')).status).toBe(403);
  });

  it.each(['/console/insight', '/console/audit', '/console/keys'])(
    'has no barrier on %s, light and dark',
    async (path) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await person.signedIn(path, { colorScheme });
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.getByText('Loading…').first().waitFor({ state: 'detached' });
        expect(await findBarriers(page)).toEqual([]);
      }
    },
  );
});
