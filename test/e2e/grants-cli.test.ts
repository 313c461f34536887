import { shortId } from '../../src/cards/short-id';
import { Api, type ApprovalJson } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { cli, type Said } from '../support/cli';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { cleanUp } from '../support/processes';
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

const grants = (key: string, ...args: string[]): Promise<Said> =>
  cli(['grants', ...args], { COUNTERSIGN_URL: app.url, COUNTERSIGN_KEY: key });
const asOperator = (...args: string[]) => grants(OPERATOR_KEY, ...args);

async function asked(command: string): Promise<ApprovalJson> {
  return (await api.enqueue({ toolInput: { command }, cwd: '/srv/shop' })).body;
}

it('offers, makes, lists and revokes a grant, with the ids that it shows', async () => {
  const { id } = await asked('npm run test');
  const offers = await asOperator('offers', shortId(id));
  expect([offers.code, offers.out]).toEqual([
    0,
    expect.stringMatching(/^2 +[0-9a-f]{12} +npm run test in \/srv\/shop +0$/m),
  ]);
  const made = await asOperator('make', shortId(id), '--offer', '2', '--for', '8h', '--uses', '5');
  expect([made.code, made.out]).toEqual([
    0,
    expect.stringMatching(/^Granted: npm run test in \/srv\/shop, until .* UTC, 5 uses left \(/),
  ]);
  expect((await asked('npm run test')).status).toBe('approved');
  const list = await asOperator('list');
  const row = list.out.split('\n').find((line) => line.includes('npm run test')) ?? '';
  expect(row).toMatch(/^[0-9a-f]{8} .* Bash +1 +4 /);
  const revoked = await asOperator('revoke', row.slice(0, 8));
  expect([revoked.code, revoked.out]).toEqual([
    0,
    expect.stringContaining('Revoked: npm run test in /srv/shop, after 1 uses'),
  ]);
  expect((await asked('npm run test')).status).toBe('pending');
  expect((await asOperator('list')).out).toContain('No grant is open.');
});

it('makes a grant for a directory, and one of one use from a request that its agent left', async () => {
  const { id } = await asked('npm run build');
  expect((await asOperator('make', shortId(id), '--offer', '1', '--cwd')).code).toBe(0);
  expect((await asOperator('list')).out).toMatch(/ this exact action +\S+ +\/srv\/shop +Bash /);
  const left = await asked('npm run docs');
  await api.call('agent', 'POST', `/api/approvals/${left.id}/cancel`, {});
  const made = await asOperator('late', shortId(left.id));
  expect([made.code, made.out]).toEqual([
    0,
    expect.stringMatching(/^Granted: this exact action, until .* UTC, 1 use left \(/),
  ]);
});

it('says where nothing is offered, and exits with 1 for a grant that is not there', async () => {
  const { id } = await asked('python3 deploy.py');
  expect((await asOperator('offers', shortId(id))).out).toContain('Nothing is offered');
  const { code, err } = await asOperator('revoke', '00000000');
  expect([code, err]).toEqual([1, expect.stringContaining('no grant 00000000 is open')]);
});

it.each([
  [['make', '00000000', '--offer', '1', '--for', '9h'], 'It must be a time from 1s to 8h'],
  [['make', '00000000', '--offer', '1', '--uses', '0'], 'It must be a whole number from 1 to 1000'],
  [['make', '00000000'], '--offer'],
])('refuses %j', async (args, words) => {
  const { code, err } = await asOperator(...args);
  expect([code, err]).toEqual([2, expect.stringContaining(words)]);
});

it('is not for agents', async () => {
  expect((await grants(AGENT_KEY, 'list')).code).toBe(2);
});
