import { resolve } from 'node:path';
import { loadConfig } from '../config/config.module';
import type { Config } from '../config/environment';
import { createDataSource } from '../database/data-source';
import { Database } from '../database/database';
import { joinDatabase } from '../database/database-location';
import { ENTITIES } from '../entities';
import { holdsEmbeddedPostgres } from '../database/embedded-postgres';
import { createLog } from '../logging/log';

/** SQLSTATE: the table does not exist. */
const UNDEFINED_TABLE = '42P01';

/** Configuration and database for a command that works on the service's data, even while the service is stopped. */
export interface Surroundings {
  readonly config: Config;
  readonly database: Database;
  /** The `DATA_DIR` in which this command created the database; null if the database existed. */
  readonly madeIn: string | null;
}

/**
 * Runs the work on the service's database: `DATABASE_URL`, or the embedded one of `DATA_DIR`.
 *
 * @param ifNone `make` creates a missing database in `DATA_DIR`, for commands that may run before the first start
 * @throws Error with a remedy if the database does not exist or has no schema yet.
 */
export async function besideService<T>(
  work: (surroundings: Surroundings) => Promise<T>,
  ifNone: 'make' | 'refuse' = 'refuse',
): Promise<T> {
  const config = loadConfig();
  const none = config.database.url === null && !(await holdsEmbeddedPostgres(config.dataDir));
  const dataDir = resolve(config.dataDir);
  if (none && ifNone === 'refuse') {
    throw new Error(
      `${dataDir} holds no database: say with DATA_DIR or DATABASE_URL which one the service uses, or start it once`,
    );
  }
  // Standard output is for the result.
  const log = createLog({ level: 'warn', format: 'json' }, { write: (line) => process.stderr.write(line) });
  const location = await joinDatabase(config, log);
  try {
    const source = createDataSource(location.url, 1, { entities: ENTITIES });
    await source.initialize();
    try {
      return await work({ config, database: new Database(source), madeIn: none ? dataDir : null });
    } finally {
      await source.destroy();
    }
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== UNDEFINED_TABLE) throw error;
    throw new Error(
      'the database has no schema of this version yet; start the service once, or run "npm run migrate" in a checkout, else "countersign migrate"',
      {
        cause: error,
      },
    );
  } finally {
    await location.close();
  }
}
