import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { readCredentials, urlsOf } from '../../src/database/embedded/cluster';
import { printed } from '../support/documents';
import { startModelEndpoint, type ModelEndpoint } from '../support/model-endpoint';
import { CHECKOUT, cleanUp, freePort, processesOf, Program, temporaryDirectory } from '../support/processes';
import { decisionsOf, SandboxClient, type ChatMessage } from '../support/sandbox-client';
import { ASKS_WITHIN_MS, claudeEnvironment } from './agents';

const withClaude = process.env.TEST_CLAUDE === undefined ? describe.skip : describe;

jest.setTimeout(600_000);

/** The files that `git clone` and `npm ci` leave, and those that they would build. */
const PARTS = ['package.json', 'tsconfig.json', 'src', 'migrations', 'dist'];

withClaude('README.md, section Claude Code, followed word for word beside npm run demo', () => {
  let clone: string;
  let home: string;
  let chat: SandboxClient;
  let model: ModelEndpoint;
  let file: string;
  let lastCard = 0;

  beforeAll(async () => {
    clone = join(temporaryDirectory('countersign-clone-'), 'countersign');
    home = temporaryDirectory('countersign-home-');
    for (const part of PARTS) {
      cpSync(join(CHECKOUT, part), join(clone, part), { recursive: true, preserveTimestamps: true });
    }
    symlinkSync(join(CHECKOUT, 'node_modules'), join(clone, 'node_modules'));
    mkdirSync(join(home, 'bin'));
    symlinkSync(process.env.TEST_CLAUDE ?? '', join(home, 'bin', 'claude'));
    file = join(clone, 'hello.txt');
    const [port, sandboxPort] = [String(await freePort()), String(await freePort())];
    const demo = new Program(
      'npm',
      ['run', 'demo'],
      { HOME: home, PORT: port, SANDBOX_PORT: sandboxPort },
      clone,
    );
    await demo.said('the address of the chat page', (line) => line.includes('Chat page'), ASKS_WITHIN_MS);
    chat = new SandboxClient(`http://127.0.0.1:${sandboxPort}`);
    model = await startModelEndpoint();
    const settings = printed('README.md', 'json', '"PreToolUse"');
    mkdirSync(join(home, '.claude'));
    // Only the port is another, for a machine on which 3000 is taken.
    writeFileSync(join(home, '.claude', 'settings.json'), settings.replaceAll(':3000', `:${port}`));
  });
  beforeEach(() => rmSync(file, { force: true }));
  afterAll(async () => {
    await cleanUp();
    await model.close();
  });

  /** Claude Code, started with the printed command, at its first question, and the card of that. */
  async function asking(): Promise<{
    ended: Promise<unknown>;
    card: ChatMessage;
    results: readonly string[];
  }> {
    const { url, results } = model.play([[{ tool: 'Write', input: { file_path: file, content: 'hello' } }]]);
    const command = printed('README.md', 'sh', 'claude -p');
    const path = `${join(home, 'bin')}:${process.env.PATH ?? ''}`;
    const env = { ...claudeEnvironment(home, url), PATH: path };
    const { ended } = new Program('bash', ['-euc', command], env, clone);
    // The card before may still have its buttons.
    const shows = (message: ChatMessage): boolean =>
      message.messageId > lastCard && message.text.includes(file) && decisionsOf(message).length === 2;
    const card = await chat.find('the card', shows, ASKS_WITHIN_MS);
    lastCard = card.messageId;
    expect(existsSync(file)).toBe(false);
    return { ended, card, results };
  }

  it('ends with the file written after Approve', async () => {
    const { ended, card } = await asking();
    await chat.press(card.messageId, 'Approve');
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(readFileSync(file, 'utf8')).toBe('hello');
  });

  it('ends without the file after Reject, and the model reads who said no', async () => {
    const { ended, card, results } = await asking();
    await chat.press(card.messageId, 'Reject');
    await ended;
    expect(existsSync(file)).toBe(false);
    expect(results.join('\n')).toContain('Rejected by Olivia');
  });

  it('ends without the file after nothing, and the model reads that nobody answered', async () => {
    const { ended, results } = await asking();
    await letPendingExpire(join(clone, '.data/demo/postgres/cluster'));
    await ended;
    expect(existsSync(file)).toBe(false);
    expect(results.join('\n')).toMatch(/nobody answered/i);
  });

  it('ends without the file when the service is killed', async () => {
    const { ended } = await asking();
    process.kill(serviceIn(clone), 'SIGKILL');
    await ended;
    expect(existsSync(file)).toBe(false);
  });
});

/** Half an hour, the default, in a moment. */
async function letPendingExpire(cluster: string): Promise<void> {
  const port = Number(readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')[3]);
  const client = new Client({ connectionString: urlsOf(await readCredentials(cluster), port).ownerUrl });
  await client.connect();
  await client.query(`update approvals set expires_at = now() where status = 'pending'`);
  await client.end();
}

/** The demo's service, which is a process of its own. */
function serviceIn(clone: string): number {
  const script = join(clone, 'dist/src/main.js');
  const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const pid = processesOf(script).find((each) => commandOf(each).at(1) === script);
  if (pid === undefined) throw new Error('the service does not run');
  return pid;
}
