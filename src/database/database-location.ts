import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/environment';
import type { Log } from '../logging/log';
import { DirectoryInUse, joinEmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres';
import { migrate } from './migrations';

/** How long a service that is just starting, or stopping, may keep the embedded database between its fingers. */
const JOIN_PATIENCE_MS = 15_000;
const JOIN_RETRY_MS = 100;

/** Where the database is: given by `DATABASE_URL`, or the embedded one's address of this run. */
export class DatabaseLocation {
  constructor(
    /** For the service's own role. */
    readonly url: string,
    /** For the role that owns the schema and migrates it. */
    readonly ownerUrl: string,
    /** No other service can be using it: the embedded one admits a single service. */
    readonly exclusive: boolean,
    /** Stops the embedded PostgreSQL, if it is ours; last of all, since everything else may still write. */
    readonly close: () => Promise<void>,
  ) {}
}

const nothingToClose = () => Promise.resolve();

/** `DATABASE_URL`, or PostgreSQL of our own under `DATA_DIR`, started. The caller closes it. */
export async function locateDatabase(config: Config, log: Log): Promise<DatabaseLocation> {
  const { url, migrationUrl } = config.database;
  if (url !== null) return new DatabaseLocation(url, migrationUrl ?? url, false, nothingToClose);
  const embedded = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    log: (level, event, fields, message) => log.event(level, event, fields, message),
  });
  return new DatabaseLocation(embedded.url, embedded.ownerUrl, true, () => embedded.stop());
}

/** The embedded database at rest, started for us alone, its schema made or brought up to date. */
async function wake(config: Config, log: Log): Promise<DatabaseLocation> {
  const location = await locateDatabase(config, log);
  try {
    await migrate(location.ownerUrl, location.url);
    return location;
  } catch (error) {
    await location.close();
    throw error;
  }
}

/**
 * The database for a command that works beside the service, whether or not it runs: `DATABASE_URL`, or the embedded
 * PostgreSQL of `DATA_DIR`, joined while its service runs and else started. The caller closes it.
 *
 * @throws EmbeddedPostgresError when it neither runs nor can be started.
 */
export async function joinDatabase(config: Config, log: Log): Promise<DatabaseLocation> {
  const { url, migrationUrl } = config.database;
  if (url !== null) return new DatabaseLocation(url, migrationUrl ?? url, false, nothingToClose);
  const patience = AbortSignal.timeout(JOIN_PATIENCE_MS);
  for (;;) {
    const running = await joinEmbeddedPostgres(config.dataDir);
    if (running) return new DatabaseLocation(running.url, running.ownerUrl, false, nothingToClose);
    try {
      return await wake(config, log);
    } catch (error) {
      if (!(error instanceof DirectoryInUse) || patience.aborted) throw error;
      await delay(JOIN_RETRY_MS);
    }
  }
}
