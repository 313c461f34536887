import type { Config } from '../config/environment';
import type { Log } from '../logging/log';
import { startEmbeddedPostgres } from './embedded-postgres';

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

/** `DATABASE_URL`, or PostgreSQL of our own under `DATA_DIR`, started. The caller closes it. */
export async function locateDatabase(config: Config, log: Log): Promise<DatabaseLocation> {
  const { url, migrationUrl } = config.database;
  if (url !== null) return new DatabaseLocation(url, migrationUrl ?? url, false, () => Promise.resolve());
  const embedded = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    log: (event, fields, message) => log.event('info', event, fields, message),
  });
  embedded.onExit(() =>
    log.event(
      'error',
      'database.embedded-died',
      {},
      'the embedded PostgreSQL ended by itself; restart the service',
    ),
  );
  return new DatabaseLocation(embedded.url, embedded.ownerUrl, true, () => embedded.stop());
}
