import { Api } from '../../support/api';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { openEventStream } from '../../support/event-stream';
import { issueKey, keyIs, revokeKey } from '../../support/keys';
import { openTestApp, type OpenApp } from '../../support/open-app';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy';
import { until } from '../../support/until';
import { AGENT_KEY, OPERATOR_KEY } from '../../support/well-known';

let database: TestDatabase;
let here: OpenApp;
let there: OpenApp;
let wire: TcpProxy;

beforeAll(async () => {
  database = await createTestDatabase();
  wire = await startTcpProxy(database.url);
  here = await openTestApp(database.url);
  there = await openTestApp(wire.url);
});
afterAll(async () => {
  await Promise.all([here.close(), there.close()]);
  await wire.close();
  await database.drop();
});

const agentWith = (key: string, app = here) => new Api(app.url, { agent: key, operator: OPERATOR_KEY });

it('security 14: keys rotate without a restart: old and new both count in the overlap, then the new alone', async () => {
  const old = await issueKey(database, 'agent', 'rotating-1');
  const fresh = await issueKey(database, 'agent', 'rotating-2');
  for (const { url } of [here, there]) {
    await keyIs(true, url, old);
    await keyIs(true, url, fresh);
  }
  expect((await agentWith(old).enqueue()).status).toBe(201);
  expect((await agentWith(fresh, there).enqueue()).status).toBe(201);
  await revokeKey(database, 'rotating-1');
  for (const app of [here, there]) {
    await keyIs(false, app.url, old);
    expect((await agentWith(fresh, app).enqueue()).status).toBe(201);
  }
});

it('security 14: revocation holds on every replica at its next look, and waiters parked on the key end with 401', async () => {
  const key = await issueKey(database, 'agent', 'parked');
  for (const { url } of [here, there]) await keyIs(true, url, key);
  const { body } = await agentWith(key).enqueue();
  const waiters = [here, there].flatMap((app) => [
    agentWith(key, app).get(body.id, 50),
    agentWith(key, app).get(body.id, 50),
  ]);
  const asking = agentWith(key).call('agent', 'POST', '/api/approvals?wait=50', {
    agentId: 'a',
    sessionId: 's',
    toolName: 'T',
    toolInput: {},
  });
  const stream = await openEventStream(`${there.url}/api/approvals/${body.id}/events`, key);
  const bystander = new Api(here.url).get((await new Api(here.url).enqueue()).body.id, 50);
  await until('all wait', () => here.feed.size === 4 && there.feed.size === 3);

  await revokeKey(database, 'parked');
  for (const { status, body: problem } of await Promise.all([...waiters, asking])) {
    expect([status, problem.code]).toEqual([401, 'access.unauthenticated']);
  }
  await stream.ended;
  // The request itself is still there, for the operators.
  expect(stream.events().map(({ data }) => data.status)).toEqual(['pending']);
  for (const app of [here, there]) expect((await agentWith(key, app).enqueue()).status).toBe(401);
  await until('only the bystander waits', () => here.feed.size === 1 && there.feed.size === 0);
  const { body: own } = await new Api(here.url).call<{ items: { id: string }[] }>(
    'agent',
    'GET',
    '/api/approvals',
  );
  await new Api(here.url).decide(own.items[0]?.id ?? '', 'approved');
  expect((await bystander).body.status).toBe('approved');
});

it('security 14: a decision that falls together with the revocation is not told to the revoked', async () => {
  const key = await issueKey(database, 'agent', 'racing');
  await keyIs(true, here.url, key);
  const { body } = await agentWith(key).enqueue();
  const waiter = agentWith(key).get(body.id, 50);
  await until('it waits', () => here.feed.size >= 1);
  await revokeKey(database, 'racing');
  await keyIs(false, here.url, key);
  await new Api(there.url).decide(body.id, 'approved');
  expect((await waiter).status).toBe(401);
});

it('security 14: the key table unreachable for longer than a second: 503, and served again afterwards', async () => {
  const key = await issueKey(database, 'operator', 'cut-off');
  await keyIs(true, there.url, key);
  wire.cut();
  const asked = () =>
    new Api(there.url, { agent: key, operator: key }).call('agent', 'GET', '/api/diagnostics/telegram');
  const refused = await until('it is refused', async () => {
    const answer = await asked();
    return answer.status !== 200 && answer;
  });
  expect([refused.status, refused.body.code]).toEqual([503, 'database.unavailable']);
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
  // A key of the environment does not hang on the table.
  const bootstrap = new Api(there.url, { agent: AGENT_KEY, operator: OPERATOR_KEY });
  expect((await bootstrap.call('operator', 'GET', '/api/diagnostics/telegram')).status).toBe(200);
  wire.mend();
  await until('it is served again', async () => (await asked()).status === 200);
});

it('the last use of a key is noted', async () => {
  const key = await issueKey(database, 'observer', 'noted');
  await keyIs(true, here.url, key);
  await until('it is noted', async () => {
    const [row] = await database.query<{ used: boolean }>(
      `select last_used_at >= created_at as used from api_keys where name = 'noted'`,
    );
    return row?.used;
  });
});

it('keys are not in the table, only what recognises them', async () => {
  const key = await issueKey(database, 'agent', 'hashed');
  const [row] = await database.query<{ text: string }>(
    `select api_keys::text as text from api_keys where name = 'hashed'`,
  );
  expect(row?.text).not.toContain(key);
  expect(row?.text).not.toContain(key.slice('csa_'.length));
});
