import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueKey, keyIs } from '../support/keys';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';

const ruleOf = (id: string) => `
  - id: ${id}
    decision: allow
    match: { key: "*", tool: [Bash], command: { argv: [git, status] } }
`;
const ONE = `version: 1\nchanges: { widening: 2 }\nrules:${ruleOf('read-git')}`;
const TWO = `${ONE}${ruleOf('read-git-too')}`;

let rig: TelegramRig;
let maria: string;
let paul: string;

beforeAll(async () => {
  rig = await TelegramRig.start();
  maria = await issueKey(rig.database, 'admin', 'maria', 'maria');
  paul = await issueKey(rig.database, 'admin', 'paul', 'paul');
  for (const key of [maria, paul]) await keyIs(true, rig.app.url, key);
});
afterAll(() => rig.close());

async function call(key: string, method: string, path: string, body?: string, headers: object = {}) {
  const response = await fetch(`${rig.app.url}/api/policy${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': 'application/yaml' }),
      ...headers,
    },
    ...(body !== undefined && { body }),
  });
  const answer = (await response.json()) as { version: string; id: string };
  expect({ ok: response.ok, answer }).toEqual({ ok: true, answer });
  return answer;
}

const told = (text: string) =>
  rig.chat.find(`a message with “${text}”`, (message) => message.text.includes(text));
const short = (version: string) => version.slice('sha256:'.length, 'sha256:'.length + 12);

it('operators read each change of the policy in the chat', async () => {
  const first = await call(maria, 'PUT', '?comment=as+agreed+on+Monday', ONE, { 'if-none-match': '*' });
  const applied = await told(`Policy changed: version ${short(first.version)}`);
  expect(applied.text).toContain('The first policy: +1 allow');
  expect(applied.text).toContain('Reason: as agreed on Monday\nBy API key maria');

  const proposal = await call(maria, 'POST', '/proposals?comment=twice+is+better', TWO, {
    'if-match': first.version,
  });
  const proposed = await told('Policy change proposed');
  expect(proposed.text).toContain('+1 allow. It widens the policy.\nReason: twice is better');
  const [audited] = await rig.database.query<{ data: string }>(
    `select data from audit_log where type = 'policy.applied'`,
  );
  expect(audited?.data).toContain('as agreed on Monday');
  expect(proposed.text).toContain(`countersign policy approve ${proposal.id}`);

  const second = await call(paul, 'POST', `/proposals/${proposal.id}/approve`);
  const approved = await told(`Policy changed: version ${short(second.version)}`);
  expect(approved.text).toContain('By API key paul, proposed by API key maria');

  const json = { 'if-match': second.version, 'content-type': 'application/json' };
  await call(maria, 'POST', '/rollback', JSON.stringify({ version: first.version }), json);
  expect((await told('Policy rolled back')).text).toContain('−1 allow. It widens nothing.');

  await call(maria, 'POST', '/stop');
  await told('The rules that allow are stopped');
  await call(maria, 'POST', '/resume');
  await told('The rules allow again');
});

it('news outlive a restart while Telegram is away, and POLICY_FILE is announced once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-news-'));
  const file = join(folder, 'policy.yaml');
  writeFileSync(file, `version: 1\nchanges: { widening: 2 }\nrules: []\n`);
  await rig.chat.fault({ method: '*', status: 503, count: 1_000_000 });
  await call(maria, 'POST', '/stop');
  await rig.restart({ POLICY_FILE: file });
  await rig.restart({ POLICY_FILE: file });
  await rig.chat.clearFaults();
  await told('Policy changed by POLICY_FILE');
  await until('the stop is announced a second time', async () => {
    const texts = (await rig.chat.messages()).map(({ text }) => text);
    return texts.filter((text) => text.includes('rules that allow are stopped')).length === 2;
  });
  const texts = (await rig.chat.messages()).map(({ text }) => text);
  expect(texts.filter((text) => text.includes('by POLICY_FILE'))).toHaveLength(1);
  rmSync(folder, { recursive: true });
});
