import { spawn } from 'node:child_process';
import { open, readFile, rename, stat, truncate } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Binaries } from './binaries';
import type { Credentials } from './cluster';
import { codeOf, EmbeddedPostgresError } from './embedded-postgres-error';
import type { Home } from './home';
import { isRunning, startTimeOf } from './processes';
import { PROGRAM_ENVIRONMENT } from './run-program';
import { becomesReady, findPostmaster, type Postmaster } from './running-postmaster';
import { serverSettings } from './settings';

const POLL_MS = 20;
/** Maximum starts while the obstacle may go away: a port taken in between, a predecessor's last processes. */
const MAX_STARTS = 20;
const RESTART_DELAY_MS = 250;
const PASSING_TROUBLE =
  /could not bind|already in use|pre-existing shared memory block|lock file "postmaster\.pid" already exists/;

/** Timeouts of one stop: with a checkpoint, then without, then by SIGKILL. */
const FAST_STOP_MS = 15_000;
const IMMEDIATE_STOP_MS = 6_000;
const FORCED_STOP_MS = 2_000;

const LOG_KEPT_BYTES = 1_000_000;
const LOG_TAIL_LINES = 8;

/** A port of 127.0.0.1 that is free now; another process may take it before it is used. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function logSize(path: string): Promise<number> {
  return stat(path).then(
    (stats) => stats.size,
    () => 0,
  );
}

/** Truncates a large server log; PostgreSQL appends, so it goes on at the new end. */
export async function boundLog(path: string): Promise<void> {
  if ((await logSize(path)) > LOG_KEPT_BYTES) await truncate(path);
}

async function launch(
  home: Home,
  binaries: Binaries,
  credentials: Credentials,
  port: number,
  stop: AbortSignal | undefined,
): Promise<Postmaster | string> {
  const from = await logSize(home.serverLog);
  const log = await open(home.serverLog, 'a', 0o600);
  if (home.runAs) await log.chown(home.runAs.uid, home.runAs.gid);
  const child = spawn(binaries.postgres, ['-D', home.cluster, ...serverSettings(port)], {
    ...home.runAs,
    cwd: '/',
    env: PROGRAM_ENVIRONMENT,
    // A session of its own: Ctrl-C at the terminal must not end the database before the service has drained.
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  const ended: { how?: string } = {};
  child.once('error', (error) => (ended.how = error.message));
  child.once('exit', (code, signal) => (ended.how = `it ended with ${signal ?? `code ${String(code)}`}`));
  child.unref();
  await log.close();
  const pid = child.pid;
  const postmaster = {
    pid: pid ?? 0,
    startedAt: pid === undefined ? null : startTimeOf(pid),
    port,
    adopted: false,
  };
  try {
    const isOver = () => ended.how !== undefined || stop?.aborted === true;
    if (await becomesReady(home, postmaster, credentials, isOver)) return postmaster;
    stop?.throwIfAborted();
  } catch (error) {
    await endPostmaster(postmaster);
    throw error;
  }
  const said = (await readFile(home.serverLog)).subarray(from).toString('utf8').trim();
  return [ended.how, ...said.split('\n').slice(-LOG_TAIL_LINES)].join('\n');
}

interface StartOptions {
  readonly choosePort?: () => Promise<number>;
  /** Ends the server while it does not serve yet. */
  readonly stop?: AbortSignal;
}

/**
 * Starts a server on the cluster, on a free port of 127.0.0.1, and waits until it serves.
 *
 * @throws EmbeddedPostgresError with the last lines of the server's log, or the reason of `stop`.
 */
export async function startPostmaster(
  home: Home,
  binaries: Binaries,
  credentials: Credentials,
  { choosePort = freePort, stop }: StartOptions = {},
): Promise<Postmaster> {
  if ((await logSize(home.serverLog)) > LOG_KEPT_BYTES) await rename(home.serverLog, `${home.serverLog}.1`);
  for (let start = 1; ; start++) {
    const result = await launch(home, binaries, credentials, await choosePort(), stop);
    if (typeof result !== 'string') return result;
    if (start === MAX_STARTS || !PASSING_TROUBLE.test(result)) {
      throw new EmbeddedPostgresError(
        `the embedded PostgreSQL in ${home.directory} did not start: ${result}`,
      );
    }
    await delay(RESTART_DELAY_MS, undefined, { signal: stop });
    // A service killed during its start may have left a server that was not ready at the first look.
    const running = await findPostmaster(home, credentials);
    if (running) return running;
  }
}

/**
 * Ends the server in bounded time, as orderly as it allows. Resolves to the signal that ended it; null when it was
 * gone.
 */
export async function endPostmaster({ pid, startedAt }: Postmaster): Promise<NodeJS.Signals | null> {
  const steps: [NodeJS.Signals, number][] = [
    ['SIGINT', FAST_STOP_MS],
    ['SIGQUIT', IMMEDIATE_STOP_MS],
    ['SIGKILL', FORCED_STOP_MS],
  ];
  let used: NodeJS.Signals | null = null;
  for (const [signal, withinMs] of steps) {
    if (pid === 0 || !isRunning(pid, startedAt)) return used;
    used = signal;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error;
    }
    const timeout = AbortSignal.timeout(withinMs);
    while (isRunning(pid, startedAt) && !timeout.aborted) await delay(POLL_MS);
  }
  return used;
}
