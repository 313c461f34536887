import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Api } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { cli, type Said } from '../support/cli';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey } from '../support/keys';
import { cleanUp } from '../support/processes';
import { BOT_TOKEN, CHAT_ID, OPERATOR_KEY } from '../support/well-known';

let database: TestDatabase;
let app: TestApp;
let api: Api;
let admin: string;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = await issueKey(database, 'admin', 'maria', 'maria');
  app = await startTestApp(database.url);
  api = new Api(app.url);
  folder = mkdtempSync(join(tmpdir(), 'countersign-policy-'));
});
afterAll(async () => {
  await cleanUp();
  await app.close();
  await database.drop();
  rmSync(folder, { recursive: true });
});

const policy = (key: string, ...args: string[]): Promise<Said> =>
  cli(['policy', ...args], { COUNTERSIGN_URL: app.url, COUNTERSIGN_KEY: key });
const asAdmin = (...args: string[]) => policy(admin, ...args);
const asOperator = (...args: string[]) => policy(OPERATOR_KEY, ...args);

function document(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const READ_GIT = `version: 1
rules:
  - id: read-git
    decision: allow
    match: { key: "*", tool: Bash, command: { argv: [git, { any: [status, diff] }] } }
`;

const statusOf = async (command: string) =>
  (await api.enqueue({ toolInput: { command }, cwd: '/srv/shop' })).body;

it('init writes a starter policy that passes check, and replaces no file', async () => {
  const file = join(folder, 'starter.yaml');
  expect((await cli(['policy', 'init', file, '--root', '/srv/shop'])).code).toBe(0);
  expect(readFileSync(file, 'utf8')).toContain('mode: shadow');
  const { code, out } = await cli(['policy', 'check', file]);
  expect([code, out]).toEqual([0, expect.stringContaining('0 errors')]);
  const again = await cli(['policy', 'init', file]);
  expect([again.code, again.err]).toEqual([2, expect.stringContaining(file)]);
});

it('check shows the place, the words and the mend of each fault, and exits 1', async () => {
  const file = document(
    'bad.yaml',
    READ_GIT.replace('argv: [git', 'argv: [bash').replace('] } }', '], operands: any } }'),
  );
  const { code, out } = await cli(['policy', 'check', file]);
  expect(code).toBe(1);
  expect(out).toContain(`${file}:5:`);
  expect(out).toMatch(/\^{4}/);
  expect(out).toContain('fix: ');
  const { out: json } = await cli(['policy', 'check', file, '--json']);
  expect(JSON.parse(json)).toMatchObject({
    ok: false,
    findings: [{ severity: 'error', line: 5, rule: 'read-git' }],
  });
});

it('apply, explain, history, rollback, stop and resume work from the documents alone', async () => {
  const first = document('first.yaml', READ_GIT);
  const applied = await asAdmin('apply', first, '--comment', 'reading is safe', '--json');
  expect(applied.code).toBe(0);
  const { version } = JSON.parse(applied.out) as { version: string };
  const allowed = await statusOf('git status');
  expect(allowed.status).toBe('approved');
  for (const id of [allowed.id, allowed.id.slice(-8)])
    expect((await asOperator('explain', id)).out).toContain('Allowed: rule read-git.');
  expect((await asOperator('explain', '--command', 'git status; id', '--cwd', '/srv/shop')).out).toContain(
    'Asks a person: no rule matched.',
  );

  const refused = await asOperator('apply', first);
  expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('403')]);

  const second = document('second.yaml', READ_GIT.replace('status, diff', 'diff'));
  expect((await asAdmin('apply', second)).code).toBe(0);
  expect((await statusOf('git status')).status).toBe('pending');
  const { out: differences } = await cli(['policy', 'diff', first, second]);
  expect(differences).toContain('~ read-git: match');
  const { version: replacing } = JSON.parse((await asOperator('show', '--json')).out) as { version: string };
  expect((await asOperator('diff', version, replacing.slice(7, 19))).out).toBe(differences);
  const missing = await asOperator('diff', first, 'third.yaml');
  expect([missing.code, missing.err]).toEqual([2, expect.stringContaining('third.yaml')]);

  expect((await asAdmin('rollback', version.slice(0, 20))).code).toBe(0);
  expect((await statusOf('git status')).status).toBe('approved');
  const { out: history } = await asOperator('history');
  expect(history.split('\n').map((line) => line.split(/ {2,}/)[2])).toEqual(['rollback', 'apply', 'apply']);

  expect((await asOperator('stop')).code).toBe(0);
  expect((await statusOf('git status')).policy).toMatchObject({ decision: 'ask' });
  expect((await asOperator('resume')).code).toBe(2);
  expect((await asAdmin('resume')).code).toBe(0);
  expect((await statusOf('git status')).status).toBe('approved');
});

it('rollback --offline needs no key and no second person, but the owner of the database', async () => {
  const { version } = JSON.parse((await asOperator('show', '--json')).out) as { version: string };
  const locked = document('locked.yaml', `${READ_GIT}changes: { widening: 2 }\npeople: { nobody: {} }\n`);
  expect((await asAdmin('apply', locked)).code).toBe(0);
  expect((await asAdmin('rollback', version)).code).toBe(2);

  const offline = (url: string, ...args: string[]) =>
    cli(['policy', 'rollback', ...args, '--offline'], {
      DATABASE_URL: url,
      TELEGRAM_BOT_TOKEN: BOT_TOKEN,
      TELEGRAM_CHAT_ID: CHAT_ID,
      TELEGRAM_OPERATORS: '1:Olivia',
    });
  const asService = await offline(database.serviceUrl, version);
  expect([asService.code, asService.err]).toEqual([2, expect.stringContaining("needs the owner's role")]);
  const unknown = await offline(database.url, '0000');
  expect([unknown.code, unknown.err]).toEqual([2, expect.stringContaining('no version begins')]);
  const { code } = await offline(database.url, version.slice(7, 20), '--comment', 'locked out');
  expect(code).toBe(0);
  expect(JSON.parse((await asOperator('show', '--json')).out)).toMatchObject({ version });
  const audited = await database.query<{ actor: string; data: string }>(
    `select actor, data from audit_log where type = 'policy.applied' order by seq desc limit 1`,
  );
  expect(audited[0]?.actor).toMatch(/^offline:./);
  expect(audited[0]?.data).toContain('locked out');
  const announced = await database.query(`select from outbox where lane = $1 and kind = 'notice'`, [
    `telegram:${CHAT_ID}`,
  ]);
  expect(announced).toHaveLength(1);
  const again = await offline(database.url, version);
  expect([again.code, again.err]).toEqual([2, expect.stringContaining('active version already')]);
});

it('explain says what a rule in shadow mode would do', async () => {
  const { version } = JSON.parse((await asOperator('show', '--json')).out) as { version: string };
  const shadow = document('shadow.yaml', READ_GIT.replace('rules:', 'mode: shadow\nrules:'));
  expect((await asAdmin('apply', shadow)).code).toBe(0);
  const words = 'Asks a person: no rule matched.\nWithout shadow mode: Allowed: rule read-git.';
  const { id } = await statusOf('git diff');
  expect((await asOperator('explain', id)).out).toContain(words);
  expect((await asOperator('explain', '--command', 'git diff')).out).toContain(words);
  expect((await asAdmin('rollback', version)).code).toBe(0);
});

it('test exits 1 and names each request that a person rejected and the document would allow', async () => {
  const { id } = await statusOf('make deploy');
  await api.decide(id, 'rejected', 'not on a Friday');
  const file = document('wide.yaml', READ_GIT.replace('[git, { any: [status, diff] }]', '[make, deploy]'));
  const { code, out } = await asOperator('test', file, '--since', '1h');
  expect(code).toBe(1);
  expect(out).toContain(id);
  expect(out).toContain('rejected by bootstrap-operator');
  const narrow = document('narrow.yaml', READ_GIT);
  expect((await asOperator('test', narrow, '--since', '1h')).code).toBe(0);
});

it('suggest prints a document of rules that would have saved approvals', async () => {
  for (let n = 0; n < 4; n++) await api.decide((await statusOf('git log --oneline')).id, 'approved');
  const { code, out } = await asOperator('suggest', '--since', '1h');
  expect(code).toBe(0);
  expect(out).toContain('would have saved 4');
  const file = document('suggested.yaml', out);
  expect((await cli(['policy', 'check', file])).code).toBe(0);
});

it('import translates what is exact, and lists the rest with its reason', async () => {
  const file = document(
    'settings.json',
    JSON.stringify(
      { permissions: { allow: ['Bash(git status)', 'Bash(npm:*)'], deny: ['WebFetch'] } },
      null,
      2,
    ),
  );
  const { code, out } = await cli(['policy', 'import', file, '--root', '/srv/shop']);
  expect(code).toBe(0);
  expect(out).toMatch(/# Left out: line \d+, .*npm/);
  expect((await cli(['policy', 'check', document('imported.yaml', out)])).code).toBe(0);
});
