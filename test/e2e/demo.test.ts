import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { cleanUp, freePort, processesOf, Program, temporaryDirectory } from '../support/processes';
import { decisionsOf, SandboxClient } from '../support/sandbox-client';
import { until } from '../support/until';

afterAll(cleanUp);

interface Demo {
  readonly program: Program;
  readonly dataDir: string;
  readonly sandboxUrl: string;
  readonly said: () => string;
}

async function demo(args: readonly string[], more: Record<string, string> = {}): Promise<Demo> {
  const dataDir = join(temporaryDirectory(), 'demo data');
  const sandboxPort = String(await freePort());
  const env = { PORT: String(await freePort()), SANDBOX_PORT: sandboxPort, DATA_DIR: dataDir, ...more };
  const program = new Program('npm', ['run', 'demo', '--', ...args], env);
  return {
    program,
    dataDir,
    sandboxUrl: `http://127.0.0.1:${sandboxPort}`,
    said: () => [...program.output, ...program.errors].join('\n'),
  };
}

it('demo --auto plays rules, taps, timeout and a grant, exits 0 and leaves nothing running', async () => {
  const { program, dataDir, said } = await demo(['--auto']);
  const { code } = await program.ended;
  expect({ code, said: said() }).toMatchObject({ code: 0 });
  const parts = [
    /read-git allows it/,
    /approved by the rule read-git/,
    /no-force-push denies it: Nobody rewrites the history of the shop/,
    /rejected by the rule no-force-push/,
    /migrations asks a person/,
    /not an operator/,
    /approved by Olivia/,
    /rejected by Olivia/,
    /expired/,
    /grants it over REST, and the next ones like it: Edit below \/home\/dev\/shop\/src/,
    /approved by the grant for Edit below/,
  ];
  const heard = parts.map((part) => said().search(part));
  expect(heard).not.toContain(-1);
  expect(heard).toEqual(heard.toSorted((a, b) => a - b));
  expect(processesOf(dataDir)).toEqual([]);
});

describe('a port that is taken', () => {
  let taken: Server;
  let port: string;

  beforeAll(async () => {
    taken = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi'));
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
    port = String((taken.address() as AddressInfo).port);
  });
  afterAll(() => new Promise((done) => taken.close(done)));

  it.each(['PORT', 'SANDBOX_PORT'])(
    'as %s makes the demo say so and exit 1, even when it answers',
    async (name) => {
      const { program, dataDir, said } = await demo(['--auto'], { [name]: port });
      const { code } = await program.ended;
      expect({ code, said: said() }).toMatchObject({ code: 1 });
      expect(said()).toContain(name);
      expect(said()).toContain(port);
      expect(said()).toContain('in use');
      expect(said()).not.toMatch(/^\s+at |Starting PostgreSQL|Stopping/m);
      expect(processesOf(dataDir)).toEqual([]);
    },
  );
});

it('the interactive demo waits for a person, and Ctrl-C ends it cleanly', async () => {
  const { program, dataDir, sandboxUrl, said } = await demo([]);
  await program.said('the chat page’s address', (line) => line.includes(`${sandboxUrl}/`));
  const chat = new SandboxClient(sandboxUrl);
  const card = await chat.find('the first card', (message) => decisionsOf(message).length === 2);
  expect(card.text).toContain('approved, by rule read-git');
  expect(card.text).toContain('rejected, by rule no-force-push');
  await chat.press(card.messageId, 'Approve');
  await program.said('the agent goes on', (line) => line.includes('approved by Olivia'));
  await program.said('it asks again', (line) => line.includes('rm -rf'));
  program.signalGroup('SIGINT');
  const { signal } = await program.ended;
  expect(signal).not.toBe('SIGKILL');
  await until('everything has ended', () => processesOf(dataDir).length === 0);
  expect(said()).not.toMatch(/failed|^\s+at /m);
  expect(readFileSync(join(dataDir, 'service.log'), 'utf8')).toContain('"status":"cancelled"');
});
