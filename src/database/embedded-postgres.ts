import { usableBinaries, type Binaries } from './embedded/binaries';
import { createCluster, readCredentials, urlsOf, type Credentials } from './embedded/cluster';
import { lockDirectory, type DirectoryLock } from './embedded/directory-lock';
import { confirmHome, findHome, makeHome, openDataDir, type Home } from './embedded/home';
import { boundLog, endPostmaster, startPostmaster } from './embedded/postmaster';
import { pause } from '../kernel/pause';
import { isRunning } from './embedded/processes';
import { findPostmaster, runningPostmaster, type Postmaster } from './embedded/running-postmaster';

export { DirectoryInUse, EmbeddedPostgresError } from './embedded/embedded-postgres-error';

/** Interval of checks that the server still runs. */
const WATCH_MS = 250;
/** Delay between tries to start it again. */
const REVIVAL_PAUSE_MS = 5_000;
const LOG_CHECK_MS = 60_000;

type LogEvent = (level: 'info' | 'error', event: string, fields: object, message: string) => void;

/** A PostgreSQL of our own under `DATA_DIR`, ready to serve. */
export interface EmbeddedPostgres {
  /** Connects as the service's role, with its granted rights only; database `countersign`. */
  readonly url: string;
  /** Connects as the role that owns the database. */
  readonly ownerUrl: string;
  /** PID of the server that runs now, or ran last. */
  readonly pid: number;
  /** True if the server ran already, because the previous service was killed. */
  readonly adopted: boolean;
  /**
   * Ends the server within about 25 s, whatever it does, and unlocks the directory. Later calls return the same
   * promise.
   */
  stop(): Promise<void>;
}

/** Finds PostgreSQL programs that this user can run on this machine. */
function binariesFor(home: Home, log: LogEvent): Promise<Binaries> {
  return usableBinaries(home.directory, home.runAs, (path, reason) =>
    log(
      'info',
      'database.embedded-binaries-copied',
      { path, reason },
      'the installed PostgreSQL cannot be run where it is: using a copy',
    ),
  );
}

async function obtain(dataDir: string, log: LogEvent): Promise<{ home: Home; postmaster: Postmaster }> {
  const known = await findHome(dataDir);
  const running = known && (await findPostmaster(known, await readCredentials(known.cluster)));
  if (known && running) return { home: known, postmaster: running };

  const home = known ?? (await makeHome(dataDir));
  if (home.relocated) {
    log(
      'info',
      'database.embedded-relocated',
      { dataDir, home: home.directory, uid: home.runAs?.uid },
      'PostgreSQL does not run as root, and its user cannot enter DATA_DIR: the database is kept elsewhere',
    );
  }
  const binaries = await binariesFor(home, log);
  if (known === null) {
    await createCluster(home, binaries);
    log('info', 'database.embedded-created', { directory: home.cluster }, 'made a new database');
  }
  await confirmHome(dataDir, home);
  return { home, postmaster: await startPostmaster(home, binaries, await readCredentials(home.cluster)) };
}

/** Keeps one server running on the cluster, on one port, until it is stopped. */
class Supervisor {
  private readonly timers: NodeJS.Timeout[];
  private readonly stop = new AbortController();
  private reviving: Promise<void> | null = null;
  private stopping: Promise<void> | null = null;

  constructor(
    private readonly home: Home,
    private readonly credentials: Credentials,
    private readonly lock: DirectoryLock,
    private readonly log: LogEvent,
    private postmaster: Postmaster,
  ) {
    this.timers = [
      setInterval(() => this.look(), WATCH_MS),
      // Best effort: a log that cannot be truncated must not end the service.
      setInterval(() => void boundLog(home.serverLog).catch(() => undefined), LOG_CHECK_MS),
    ];
    for (const timer of this.timers) timer.unref();
  }

  get pid(): number {
    return this.postmaster.pid;
  }

  end(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private look(): void {
    const { pid, startedAt } = this.postmaster;
    if (this.reviving || isRunning(pid, startedAt)) return;
    this.log(
      'error',
      'database.embedded-died',
      { pid },
      'the embedded PostgreSQL ended by itself; it is started again',
    );
    this.reviving = this.revive().finally(() => (this.reviving = null));
  }

  /** Restarts the server on the same port, to which all clients connect; never rejects. */
  private async revive(): Promise<void> {
    const { port } = this.postmaster;
    while (!this.stop.signal.aborted) {
      try {
        const binaries = await binariesFor(this.home, this.log);
        const options = { choosePort: () => Promise.resolve(port), stop: this.stop.signal };
        this.postmaster = await startPostmaster(this.home, binaries, this.credentials, options);
        const { pid } = this.postmaster;
        this.log(
          'info',
          'database.embedded-revived',
          { pid, port },
          'the embedded PostgreSQL is ready again',
        );
        return;
      } catch (error) {
        if (error === this.stop.signal.reason) return;
        const fields = { error: error instanceof Error ? error.message : String(error) };
        this.log('error', 'database.embedded-stays-down', fields, 'it does not start; tried again');
        await pause(REVIVAL_PAUSE_MS, this.stop.signal);
      }
    }
  }

  private async shutDown(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    this.stop.abort();
    await this.reviving;
    const { pid } = this.postmaster;
    const signal = await endPostmaster(this.postmaster);
    await this.lock.release();
    this.log('info', 'database.embedded-stopped', { pid, signal }, 'the embedded PostgreSQL has ended');
  }
}

async function supervise(dataDir: string, lock: DirectoryLock, log: LogEvent): Promise<EmbeddedPostgres> {
  const { home, postmaster } = await obtain(dataDir, log);
  const { pid, port, adopted } = postmaster;
  log(
    'info',
    'database.embedded-ready',
    { pid, port, adopted, directory: home.directory },
    'the embedded PostgreSQL is ready',
  );
  const credentials = await readCredentials(home.cluster);
  const supervisor = new Supervisor(home, credentials, lock, log, postmaster);
  return {
    ...urlsOf(credentials, port),
    get pid() {
      return supervisor.pid;
    },
    adopted,
    stop: () => supervisor.end(),
  };
}

/**
 * Starts the PostgreSQL of a `DATA_DIR`, and creates its database the first time. Adopts a server that still runs
 * because the previous service was killed. The server outlives this process unless stopped.
 *
 * @throws EmbeddedPostgresError when another service uses the directory (names path and PID), when there is no
 * PostgreSQL for this platform (names DATABASE_URL), or with PostgreSQL's own message when it did not start.
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

/** True if a `DATA_DIR` has a database, running or not. Creates nothing. */
export async function holdsEmbeddedPostgres(dataDir: string): Promise<boolean> {
  return (await findHome(dataDir)) !== null;
}

/**
 * Finds the running PostgreSQL of a `DATA_DIR`, for commands that work beside its service; null when it does not run.
 */
export async function joinEmbeddedPostgres(
  dataDir: string,
): Promise<Pick<EmbeddedPostgres, 'url' | 'ownerUrl'> | null> {
  const home = await findHome(await openDataDir(dataDir));
  if (home === null) return null;
  const credentials = await readCredentials(home.cluster);
  const running = await runningPostmaster(home, credentials);
  return running && urlsOf(credentials, running.port);
}
