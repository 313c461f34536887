import { readFile, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { urlsOf, type Credentials } from './cluster';
import { codeOf, EmbeddedPostgresError } from './embedded-postgres-error';
import type { Home } from './home';
import { isRunning, startTimeOf, worksIn } from './processes';

/** Maximum time of a start, crash recovery included; pg_ctl waits as long. */
const READY_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 2_000;
const POLL_MS = 20;

/** A running server. */
export interface Postmaster {
  readonly pid: number;
  readonly startedAt: string | null;
  readonly port: number;
  /** True if it ran already, left behind by a killed service. */
  readonly adopted: boolean;
}

/** Parses a `postmaster.pid` (lines 1, 4 and 8); null while it is being written. */
export function parsePidFile(text: string): { pid: number; port: number; ready: boolean } | null {
  const lines = text.split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  return pid > 0 && port > 0 ? { pid, port, ready: lines[7]?.trim() === 'ready' } : null;
}

async function readPidFile(home: Home): Promise<ReturnType<typeof parsePidFile>> {
  return readFile(join(home.cluster, 'postmaster.pid'), 'utf8').then(parsePidFile, (error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
}

/** Returns the error of a connection to our database; null when PostgreSQL serves it. */
async function reluctanceOf(url: string): Promise<string | null> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => undefined); // the connection was only a question
  try {
    await client.connect();
    await client.query('select 1');
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Waits until the server serves; false if it ends before. */
export async function becomesReady(
  home: Home,
  server: Postmaster,
  credentials: Credentials,
  isGone: () => boolean,
): Promise<boolean> {
  const { url } = urlsOf(credentials, server.port);
  const timeout = AbortSignal.timeout(READY_TIMEOUT_MS);
  let reluctance: string | null = 'it is still starting';
  while (!isGone()) {
    const said = await readPidFile(home);
    // Checks the PID file first, so that another server on the same port is not queried.
    if (said?.pid === server.pid && said.ready) reluctance = await reluctanceOf(url);
    if (reluctance === null) return true;
    if (timeout.aborted) {
      throw new EmbeddedPostgresError(
        `the PostgreSQL of ${home.directory} (PID ${server.pid}) does not serve: ${reluctance}`,
      );
    }
    await delay(POLL_MS);
  }
  return false;
}

/** Finds the running server of the cluster, once it serves; null when none runs, or it was just ending. */
export async function runningPostmaster(home: Home, credentials: Credentials): Promise<Postmaster | null> {
  const found = await readPidFile(home);
  if (found === null || !isRunning(found.pid)) return null;
  if (!worksIn(found.pid, await realpath(home.cluster))) return null;
  const server = { pid: found.pid, port: found.port, startedAt: startTimeOf(found.pid), adopted: true };
  const isGone = (): boolean => !isRunning(server.pid, server.startedAt);
  return (await becomesReady(home, server, credentials, isGone)) ? server : null;
}

/** The same for the holder of the directory's lock, who may then start one: also removes a stale PID file. */
export async function findPostmaster(home: Home, credentials: Credentials): Promise<Postmaster | null> {
  const found = await readPidFile(home);
  if (found && isRunning(found.pid) && !worksIn(found.pid, await realpath(home.cluster))) {
    // Another process has the number now, and PostgreSQL would refuse to start because of it.
    await rm(join(home.cluster, 'postmaster.pid'), { force: true });
    return null;
  }
  return runningPostmaster(home, credentials);
}
