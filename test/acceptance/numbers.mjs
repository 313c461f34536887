/**
 * The numbers of issue 2, measured on this machine: `node test/acceptance/numbers.mjs`, after `npm ci && npx tsc -b`.
 * Prints a table; exits 1 when a number misses its target. Run it on an otherwise idle machine.
 */
import { spawn } from 'node:child_process';
import console from 'node:console';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CHECKOUT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const IDLE_MS = 10_000;
const clean = { PATH: process.env.PATH, HOME: process.env.HOME };

async function freePort() {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return String(port);
}

/** Starts the service. @returns the process, and the seconds from its start to its readiness. */
async function startService(dataDir) {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [join(CHECKOUT, 'dist/src/main.js')], {
    env: { ...clean, PORT: '0', DATA_DIR: dataDir, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('"service.ready"')) continue;
    const seconds = (performance.now() - startedAt) / 1000;
    child.stdout.resume();
    return { child, seconds };
  }
  throw new Error('the service did not start');
}

async function stop(child) {
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** Resident memory of one process, in MB; the embedded database's processes are not in it. */
function residentMb(pid) {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

async function demoSeconds(dataDir) {
  const startedAt = performance.now();
  const env = { ...clean, PORT: await freePort(), SANDBOX_PORT: await freePort(), DATA_DIR: dataDir };
  const child = spawn('npm', ['run', '--silent', 'demo', '--', '--auto'], {
    cwd: CHECKOUT,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`demo --auto ended with ${code}`);
  return (performance.now() - startedAt) / 1000;
}

async function measure(directory) {
  const dataDir = join(directory, 'service');
  const fresh = await startService(dataDir);
  await stop(fresh.child);
  const existing = await startService(dataDir);
  await sleep(IDLE_MS);
  const rss = residentMb(existing.child.pid);
  await stop(existing.child);
  return [
    { what: 'start to ready, new embedded database', value: fresh.seconds, target: 10, unit: 's' },
    { what: 'start to ready, existing embedded database', value: existing.seconds, target: 5, unit: 's' },
    { what: 'RSS of the idle service, without the database', value: rss, target: 200, unit: 'MB' },
    {
      what: 'npm run demo -- --auto',
      value: await demoSeconds(join(directory, 'demo')),
      target: 60,
      unit: 's',
    },
  ];
}

const directory = mkdtempSync(join(tmpdir(), 'countersign-numbers-'));
// Where root runs this, PostgreSQL's user must be able to pass.
chmodSync(directory, 0o711);
try {
  const rows = await measure(directory);
  console.log('| number | measured | at most | |\n|---|---|---|---|');
  for (const { what, value, target, unit } of rows) {
    console.log(
      `| ${what} | ${value.toFixed(1)} ${unit} | ${target} ${unit} | ${value <= target ? 'ok' : 'MISSED'} |`,
    );
  }
  if (rows.some(({ value, target }) => value > target)) process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
