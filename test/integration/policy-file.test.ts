import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey } from '../support/keys';
import { openTestApp, type OpenApp } from '../support/open-app';

const ONE = 'version: 1\nrules: []\n';
const TWO = 'version: 1\nmode: shadow\nrules: []\n';

let database: TestDatabase;
let folder: string;
let file: string;
let admin: string;
let apps: OpenApp[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  admin = await issueKey(database, 'admin', 'maria', 'maria');
  folder = mkdtempSync(join(tmpdir(), 'countersign-policy-file-'));
  file = join(folder, 'policy.yaml');
});
afterEach(async () => {
  for (const app of apps) await app.close();
  apps = [];
  await database.drop();
  rmSync(folder, { recursive: true });
});

async function start(document: string): Promise<OpenApp> {
  writeFileSync(file, document);
  const app = await openTestApp(database.url, { POLICY_FILE: file });
  apps.push(app);
  return app;
}

async function call(app: OpenApp, method: string, path = '', body?: string, headers: object = {}) {
  const response = await fetch(`${app.url}/api/policy${path}`, {
    method,
    headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/yaml', ...headers },
    ...(body !== undefined && { body }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const activations = async () =>
  (await database.query<{ cause: string }>('select cause from policy_activations order by seq')).map(
    ({ cause }) => cause,
  );

it('is applied at the start, once for any number of replicas', async () => {
  const first = await start(ONE);
  await start(ONE);
  expect(await activations()).toEqual(['file']);
  expect((await call(first, 'GET')).body).toMatchObject({ source: ONE, by: 'file' });
});

it.each([
  ['half written', ONE.slice(0, -9)],
  ['not UTF-8', Buffer.from('version: 1\nrules: [] # für\n', 'latin1')],
  ['empty', ''],
])('stops the start where it is %s, and changes nothing', async (_what, content) => {
  await start(ONE);
  writeFileSync(file, content);
  await expect(openTestApp(database.url, { POLICY_FILE: file })).rejects.toThrow(`POLICY_FILE: ${file}`);
  expect(await activations()).toEqual(['file']);
});

it('a replica with an older file reverts nothing', async () => {
  await start(ONE);
  const newer = await start(TWO);
  await start(ONE);
  expect(await activations()).toEqual(['file', 'file']);
  expect((await call(newer, 'GET')).body).toMatchObject({ source: TWO });
});

it('other changes need an override', async () => {
  const app = await start(ONE);
  const { version } = (await call(app, 'GET')).body;
  const match = { 'if-match': version };
  expect((await call(app, 'PUT', '', TWO, match)).body).toMatchObject({
    status: 409,
    code: 'policy.managed',
  });
  const rollback = JSON.stringify({ version });
  const json = { ...match, 'content-type': 'application/json' };
  expect((await call(app, 'POST', '/rollback', rollback, json)).body).toMatchObject({
    code: 'policy.managed',
  });
  expect((await call(app, 'PUT', '?override=true', TWO, match)).status).toBe(200);
  expect((await call(app, 'GET')).body).toMatchObject({ source: TWO, by: 'api:maria' });
});
