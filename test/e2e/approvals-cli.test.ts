import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { shortId } from '../../src/cards/short-id';
import { Api, type ApprovalJson } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { cli, type Said } from '../support/cli';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { cleanUp, freePort } from '../support/processes';
import { AGENT_KEY, OPERATOR_KEY } from '../support/well-known';

let database: TestDatabase;
let app: TestApp;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await startTestApp(database.url);
  api = new Api(app.url);
});
afterAll(async () => {
  await cleanUp();
  await app.close();
  await database.drop();
});

const asOperator = (...args: string[]): Promise<Said> =>
  cli(['approvals', ...args], { COUNTERSIGN_URL: app.url, COUNTERSIGN_KEY: OPERATOR_KEY });

async function asked(command: string): Promise<ApprovalJson> {
  return (await api.enqueue({ toolInput: { command } })).body;
}

it('list shows what is pending, with the short id that the others take', async () => {
  const { id } = await asked('make list');
  const { code, out } = await asOperator('list');
  expect(code).toBe(0);
  expect(out.split('\n').find((line) => line.startsWith(shortId(id)))).toMatch(
    /pending .* Bash .* make list$/,
  );
});

it('list has a heading, and the JSON of an unknown tool in one line', async () => {
  const { body } = await api.enqueue({ toolName: 'mcp__deploy', toolInput: { region: 'eu', count: 2 } });
  const [heading, ...rows] = (await asOperator('list')).out.split('\n');
  expect(heading).toMatch(/^ID +STATUS +ASKED +KEY +AGENT \(CLAIMED\) +TOOL +ACTION$/);
  expect(rows.find((line) => line.startsWith(shortId(body.id)))).toMatch(/ \{"region":"eu","count":2\}$/);
});

it('list --json gives the page as the service does', async () => {
  const { id } = await asked('make json');
  const { out } = await asOperator('list', '--json', '--status', 'any');
  expect((JSON.parse(out) as { items: ApprovalJson[] }).items.map((each) => each.id)).toContain(id);
});

it('list gives as many as were asked for, also where the service gives fewer at a time', async () => {
  const action = 'x'.repeat(250_000);
  for (let n = 0; n < 12; n++)
    await api.enqueue({ sessionId: 'large', toolInput: { command: `make ${n} ${action}` } });
  const { out } = await asOperator('list', '--json', '--limit', '12');
  const { items } = JSON.parse(out) as { items: ApprovalJson[] };
  expect(items.filter(({ sessionId }) => sessionId === 'large')).toHaveLength(12);
});

it('show gives the whole action with what cannot be seen made visible, and nothing in it poses as our line', async () => {
  const end = 'x'.repeat(20_000);
  const { id } = await asked(`rm -rf \u202e/tmp\u200b\u001b[2K\nDirectory: /safe\n${end}THE-END`);
  const { code, out, err } = await asOperator('show', shortId(id));
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain('  │ rm -rf \\u{202e}/tmp\\u{200b}\\u{1b}[2K');
  expect(out).toContain(`${end}THE-END`);
  expect(out).not.toMatch(/^Directory:/m);
  for (const hidden of ['\u202e', '\u200b', '\u001b']) expect(out).not.toContain(hidden);
});

it.each([
  ['approve', 'approved'],
  ['reject', 'rejected'],
] as const)('%s by short id settles it for the waiting agent, with the reason', async (verb, status) => {
  const { id } = await asked(`make ${verb}`);
  const waiting = api.get(id, 30);
  const { code, out } = await asOperator(verb, shortId(id), '--reason', 'by hand');
  expect(code).toBe(0);
  expect(out).toContain(`${status} by`);
  expect((await waiting).body).toMatchObject({
    status,
    decision: { by: { kind: 'api' }, reason: 'by hand' },
  });
});

it('cancel takes it back, with either key', async () => {
  const { id } = await asked('make cancel');
  const { code } = await cli(['approvals', 'cancel', id, '--url', app.url, '--key', AGENT_KEY]);
  expect(code).toBe(0);
  expect((await api.get(id)).body.status).toBe('cancelled');
});

it('a second, different verdict exits 1 and tells the true state', async () => {
  const { id } = await asked('make twice');
  await api.decide(id, 'rejected', 'too late at night');
  const plain = await asOperator('approve', shortId(id));
  expect(plain.code).toBe(1);
  expect(plain.err).toMatch(
    /^countersign: already rejected by bootstrap-operator \(.*\): too late at night$/,
  );
  const { code, out } = await asOperator('approve', id, '--json');
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    error: { code: 'approval.already-settled', approval: { status: 'rejected' } },
  });
});

it.each([
  ['an unknown full id', '0190a0b0-0000-7000-8000-000000000000', /approval/i],
  ['an unknown short id', 'deadbeef', /no request deadbeef/],
  ['not a valid id', 'latest', /"latest" is not a valid id/],
])('%s exits 1 and says so', async (_what, id, says) => {
  const { code, err } = await asOperator('show', id);
  expect(code).toBe(1);
  expect(err).toMatch(says);
});

it('an agent’s key cannot decide: exit 2, still pending', async () => {
  const { id } = await asked('make forbidden');
  const { code, err } = await cli(['approvals', 'approve', id, '--url', app.url]);
  expect({ code, err }).toEqual({
    code: 2,
    err: 'countersign: the service refused (403): This needs a key with the role operator; yours is agent.',
  });
  expect((await api.get(id)).body.status).toBe('pending');
});

it.each([
  ['no key', { COUNTERSIGN_KEY: '' }, /COUNTERSIGN_KEY/],
  ['a wrong key', { COUNTERSIGN_KEY: 'w'.repeat(40) }, /does not know this API key$/],
  ['a key that cannot be sent', { COUNTERSIGN_KEY: 'schlüssel\n'.repeat(5) }, /characters/],
  ['a URL that is none', { COUNTERSIGN_URL: 'file:///etc/passwd' }, /http/],
])('%s exits 2, says what to do and shows no key', async (_what, env, says) => {
  const settings = { COUNTERSIGN_URL: app.url, COUNTERSIGN_KEY: OPERATOR_KEY, ...env };
  const { code, err } = await cli(['approvals', 'list'], settings);
  expect(code).toBe(2);
  expect(err).toMatch(says);
  expect(err).not.toMatch(/wwww|schlüssel|^\s+at /m);
});

it('a service that is away exits 2 and names the address', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const { code, err } = await cli(['approvals', 'list', '--url', url]);
  expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(url) as string });
});

it('something else at that address exits 2 and is called so', async () => {
  const other = createServer((_request, response) => response.writeHead(404).end('<h1>Not Found</h1>'));
  await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  const { code, err } = await cli(['approvals', 'list', '--url', url]);
  other.close();
  expect({ code, err }).toEqual({
    code: 2,
    err: `countersign: what answers at ${url} is not Countersign (404)`,
  });
});

it.each([['approvals', 'list'], ['audit', 'verify'], ['run', '--agent', 'a', 'prompt'], ['doctor']])(
  'without COUNTERSIGN_URL, HOST and PORT say where the service is: %s %s',
  async (...args) => {
    const port = String(await freePort());
    const { out, err } = await cli(args, { HOST: '0.0.0.0', PORT: port, DATA_DIR: '/nowhere' });
    expect(out + err).toContain(`http://127.0.0.1:${port}`);
  },
);
