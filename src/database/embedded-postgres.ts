import { usableBinaries } from './embedded/binaries';
import { createCluster, readCredentials, urlsOf } from './embedded/cluster';
import { lockDirectory, type DirectoryLock } from './embedded/directory-lock';
import { confirmHome, findHome, makeHome, openDataDir, type Home } from './embedded/home';
import { boundLog, endPostmaster, startPostmaster } from './embedded/postmaster';
import { isRunning } from './embedded/processes';
import { findPostmaster, runningPostmaster, type Postmaster } from './embedded/running-postmaster';

export { DirectoryInUse, EmbeddedPostgresError } from './embedded/embedded-postgres-error';

/** How soon a server that died by itself is noticed. */
const WATCH_MS = 250;
const LOG_CHECK_MS = 60_000;

type LogEvent = (event: string, fields: object, message: string) => void;

/** A PostgreSQL of our own under `DATA_DIR`, ready to serve. */
export interface EmbeddedPostgres {
  /** For the service's role, which may do only what it was granted; database `countersign`. */
  readonly url: string;
  /** For the role that owns the database. */
  readonly ownerUrl: string;
  readonly pid: number;
  /** It was running already: the service before this one was killed. */
  readonly adopted: boolean;
  /** Ends the server within about 25 s, whatever it does, and gives the directory free. Again: the same promise. */
  stop(): Promise<void>;
  /** Calls when the server ends although nobody stopped it; at once when it already has. */
  onExit(listener: () => void): void;
}

/** Tells those who ask when the server is gone. */
class Watch {
  private readonly listeners: (() => void)[] = [];
  private died = false;
  private readonly timers: NodeJS.Timeout[];

  constructor(postmaster: Postmaster, serverLog: string) {
    this.timers = [
      setInterval(() => {
        if (!isRunning(postmaster.pid, postmaster.startedAt)) this.announce();
      }, WATCH_MS),
      // Best effort: a log that cannot be shortened is no reason to end the service.
      setInterval(() => void boundLog(serverLog).catch(() => undefined), LOG_CHECK_MS),
    ];
    for (const timer of this.timers) timer.unref();
  }

  private announce(): void {
    this.end();
    this.died = true;
    for (const listener of this.listeners) listener();
  }

  add(listener: () => void): void {
    this.listeners.push(listener);
    if (this.died) listener();
  }

  end(): void {
    for (const timer of this.timers) clearInterval(timer);
  }
}

async function obtain(dataDir: string, log: LogEvent): Promise<{ home: Home; postmaster: Postmaster }> {
  const known = await findHome(dataDir);
  const running = known && (await findPostmaster(known, await readCredentials(known.cluster)));
  if (known && running) return { home: known, postmaster: running };

  const home = known ?? (await makeHome(dataDir));
  if (home.relocated) {
    log(
      'database.embedded-relocated',
      { dataDir, home: home.directory, uid: home.runAs?.uid },
      'PostgreSQL does not run as root, and its user cannot enter DATA_DIR: the database is kept elsewhere',
    );
  }
  const binaries = await usableBinaries(home.directory, home.runAs, (path, reason) =>
    log(
      'database.embedded-binaries-copied',
      { path, reason },
      'the installed PostgreSQL cannot be run where it is: using a copy',
    ),
  );
  if (known === null) {
    await createCluster(home, binaries);
    log('database.embedded-created', { directory: home.cluster }, 'made a new database');
  }
  await confirmHome(dataDir, home);
  return { home, postmaster: await startPostmaster(home, binaries, await readCredentials(home.cluster)) };
}

async function supervise(dataDir: string, lock: DirectoryLock, log: LogEvent): Promise<EmbeddedPostgres> {
  const { home, postmaster } = await obtain(dataDir, log);
  const { pid, port, adopted } = postmaster;
  log(
    'database.embedded-ready',
    { pid, port, adopted, directory: home.directory },
    'the embedded PostgreSQL is ready',
  );
  const watch = new Watch(postmaster, home.serverLog);
  let stopping: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    watch.end();
    const signal = await endPostmaster(postmaster);
    await lock.release();
    log('database.embedded-stopped', { pid, signal }, 'the embedded PostgreSQL has ended');
  };
  return {
    ...urlsOf(await readCredentials(home.cluster), port),
    pid,
    adopted,
    stop: () => (stopping ??= stop()),
    onExit: (listener) => watch.add(listener),
  };
}

/**
 * Starts the PostgreSQL that belongs to a `DATA_DIR`, making its database the first time; or adopts it, when it
 * still runs because the service before this one was killed. It outlives this process unless stopped.
 *
 * @throws EmbeddedPostgresError when another service uses the directory (path and PID are named), when there is no
 * PostgreSQL for this platform (DATABASE_URL is named), or with what PostgreSQL said when it did not start.
 */
export async function startEmbeddedPostgres(options: {
  dataDir: string;
  log: LogEvent;
}): Promise<EmbeddedPostgres> {
  const dataDir = await openDataDir(options.dataDir);
  const lock = await lockDirectory(dataDir);
  try {
    return await supervise(dataDir, lock, options.log);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Where the PostgreSQL of a `DATA_DIR` serves now, for who works beside its service; null when it does not run. */
export async function joinEmbeddedPostgres(
  dataDir: string,
): Promise<Pick<EmbeddedPostgres, 'url' | 'ownerUrl'> | null> {
  const home = await findHome(await openDataDir(dataDir));
  if (home === null) return null;
  const credentials = await readCredentials(home.cluster);
  const running = await runningPostmaster(home, credentials);
  return running && urlsOf(credentials, running.port);
}
