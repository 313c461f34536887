import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/environment';
import type { Log } from '../logging/log';
import { DirectoryInUse, joinEmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres';
import { migrate } from './migrations';

/** Maximum wait for a service that is just starting or stopping and holds the embedded database. */
const JOIN_PATIENCE_MS = 15_000;
const JOIN_RETRY_MS = 100;

/** Location of the database: `DATABASE_URL`, or the address of the embedded one in this run. */
export class DatabaseLocation {
  constructor(
    /** Connects as the service's own role. */
    readonly url: string,
    /** Connects as the role that owns the schema and migrates it. */
    readonly ownerUrl: string,
    /** True if no other service can use the database: the embedded one admits a single service. */
    readonly exclusive: boolean,
    /** Stops an embedded PostgreSQL that this process started. Call it last, since everything else may still write. */
    readonly close: () => Promise<void>,
    /** For LISTEN, which does not pass through a pooler. */
    readonly listenUrl = url,
  ) {}
}

const nothingToClose = () => Promise.resolve();

/** The location that `DATABASE_URL` gives; null without it. */
function givenLocation({ database: { url, migrationUrl, listenUrl } }: Config): DatabaseLocation | null {
  if (url === null) return null;
  return new DatabaseLocation(url, migrationUrl ?? url, false, nothingToClose, listenUrl ?? url);
}

/** Returns `DATABASE_URL`, or starts the embedded PostgreSQL under `DATA_DIR`. The caller closes it. */
export async function locateDatabase(config: Config, log: Log): Promise<DatabaseLocation> {
  const given = givenLocation(config);
  if (given) return given;
  const embedded = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    log: (level, event, fields, message) => log.event(level, event, fields, message),
  });
  return new DatabaseLocation(embedded.url, embedded.ownerUrl, true, () => embedded.stop());
}

/** Starts the stopped embedded database for this command alone, and creates or migrates its schema. */
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
 * Locates the database for a command that works beside the service: `DATABASE_URL`, or the embedded PostgreSQL of
 * `DATA_DIR`. Joins the embedded one while its service runs, and starts it otherwise. The caller closes it.
 *
 * @throws EmbeddedPostgresError when it neither runs nor can be started.
 */
export async function joinDatabase(config: Config, log: Log): Promise<DatabaseLocation> {
  const given = givenLocation(config);
  if (given) return given;
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
