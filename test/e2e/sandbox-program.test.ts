import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

const PROGRAM = join(__dirname, '../../dist/src/sandbox/main.js');

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

function start(port: string): {
  child: ChildProcessByStdio<null, Readable, Readable>;
  output: () => string;
  exited: Promise<number | null>;
} {
  if (!existsSync(PROGRAM)) throw new Error('build first: npm run build');
  const child = spawn(process.execPath, [PROGRAM], {
    env: { SANDBOX_PORT: port },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  child.stderr.on('data', (chunk) => (text += String(chunk)));
  const exited = once(child, 'close').then(() => child.exitCode);
  return { child, output: () => text, exited };
}

async function firstLine({ child, output }: ReturnType<typeof start>): Promise<string> {
  while (!output().includes('\n')) await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
  return output().split('\n')[0] ?? '';
}

it('prints where it is, serves its page, and ends at SIGTERM with a poll and a stream open', async () => {
  const sandbox = start('0');
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(await firstLine(sandbox))?.[0] ?? '';
  const page = await fetch(url);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('Telegram sandbox');
  const poll = fetch(`${url}/bot1:${'a'.repeat(35)}/getUpdates?timeout=50`).then((r) => r.json());
  const stream = await fetch(`${url}/sandbox/stream`);
  sandbox.child.kill('SIGTERM');
  expect(await sandbox.exited).toBe(0);
  expect(await poll).toEqual({ ok: true, result: [] });
  await expect(stream.text()).resolves.toContain('event: directory');
});

it('says in one line that the port is taken, and exits 1', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as AddressInfo;
  const sandbox = start(String(port));
  expect(await sandbox.exited).toBe(1);
  expect(sandbox.output()).toBe(
    `Telegram sandbox: port ${port} is in use; choose another with SANDBOX_PORT\n`,
  );
  holder.close();
});

it('says in one line that the port is no port, and exits 1', async () => {
  const sandbox = start('80x');
  expect(await sandbox.exited).toBe(1);
  expect(sandbox.output()).toBe('Telegram sandbox: SANDBOX_PORT must be a port number, got "80x"\n');
});
