import { Api } from '../../support/api';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { issueKey } from '../../support/keys';
import { openTestApp, type OpenApp } from '../../support/open-app';

/** security.md 22a: no replica allows by a version that is not active, nor after a stop. */

const ALLOWS = `version: 1
rules:
  - { id: read-git, decision: allow, match: { key: "*", tool: Bash, command: { argv: [git, status] } } }
`;
const ASKS = 'version: 1\nrules: []\n';
const ROUNDS = 8;

let database: TestDatabase;
let replicas: OpenApp[];
let admin: string;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = await issueKey(database, 'admin', 'maria', 'maria');
  replicas = [
    await openTestApp(database.url),
    await openTestApp(database.url),
    await openTestApp(database.url),
  ];
});
afterAll(async () => {
  for (const replica of replicas) await replica.close();
  await database.drop();
});

async function change(replica: OpenApp, method: string, path: string, body?: string): Promise<void> {
  const version = await active();
  const replaces = version === null ? { 'if-none-match': '*' } : { 'if-match': version };
  const type = body === undefined ? {} : { 'content-type': 'application/yaml' };
  const headers = { authorization: `Bearer ${admin}`, ...type, ...replaces };
  const response = await fetch(`${replica.url}/api/policy${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  expect(response.status).toBe(200);
}

async function active(): Promise<string | null> {
  const [row] = await database.query<{ version: string | null }>(
    'select active_version as version from policy_state',
  );
  return row?.version ?? null;
}

/** The statuses of one call on each replica, all at once. */
const askAll = () =>
  Promise.all(
    replicas.map(async ({ url }) => {
      const { body } = await new Api(url).enqueue({ toolInput: { command: 'git status' }, cwd: '/srv/app' });
      return body.status;
    }),
  );

/** Calls go on while the change is made; once it is answered, every new call must obey it. */
async function during(make: () => Promise<void>, expected: string): Promise<void> {
  const before = [askAll(), askAll()];
  await make();
  expect(await askAll()).toEqual(replicas.map(() => expected));
  await Promise.all(before);
}

it('obeys a stop, a resumption and another version from the moment it is answered, on every replica', async () => {
  const [first, second, third] = replicas as [OpenApp, OpenApp, OpenApp];
  for (let round = 0; round < ROUNDS; round++) {
    await change(first, 'PUT', '', ALLOWS);
    await during(() => change(second, 'POST', '/stop'), 'pending');
    await change(third, 'POST', '/resume');
    await during(() => change(first, 'PUT', '', ASKS), 'pending');
  }
});

it('records for each approval the version that allowed it', async () => {
  const rows = await database.query<{ settled_by_id: string; policy: string; status: string }>(
    `select settled_by_id, policy, status from approvals where settled_by_kind = 'policy'`,
  );
  expect(rows.length).toBeGreaterThan(0);
  for (const { settled_by_id: by, policy, status } of rows)
    expect([status, (JSON.parse(policy) as { version: string }).version]).toEqual(['approved', by]);
});

it('never by a version that a listener has not heard of: LISTEN dead, and the state changed behind its back', async () => {
  await change(replicas[0] as OpenApp, 'PUT', '', ALLOWS);
  await database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'countersign-listener'
     and datname = current_database()`,
  );
  await database.query('update policy_state set stopped_at = now()');
  expect(await askAll()).toEqual(['pending', 'pending', 'pending']);
  await database.query('update policy_state set stopped_at = null, active_version = null');
  expect(await askAll()).toEqual(['pending', 'pending', 'pending']);
});
