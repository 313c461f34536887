import { loadConfig } from '../config/config.module';
import type { Config } from '../config/environment';
import { createDataSource } from '../database/data-source';
import { Database } from '../database/database';
import { joinDatabase } from '../database/database-location';
import { createLog } from '../logging/log';

/** SQLSTATE of a table that is not there. */
const UNDEFINED_TABLE = '42P01';

/** What a command works with beside the service, whether or not it runs. */
export interface Surroundings {
  readonly config: Config;
  readonly database: Database;
}

/**
 * Runs the work on the service's database: `DATABASE_URL`, or the embedded one of `DATA_DIR`.
 *
 * @throws Error saying what to do when the database is not there or has no schema yet.
 */
export async function besideService<T>(work: (surroundings: Surroundings) => Promise<T>): Promise<T> {
  const config = loadConfig();
  // Standard output is for the result.
  const log = createLog({ level: 'warn', format: 'json' }, { write: (line) => process.stderr.write(line) });
  const location = await joinDatabase(config, log);
  try {
    const source = createDataSource(location.url, 1);
    await source.initialize();
    try {
      return await work({ config, database: new Database(source) });
    } finally {
      await source.destroy();
    }
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== UNDEFINED_TABLE) throw error;
    throw new Error(
      'the database has no schema of this version yet; start the service once, or run "npm run migrate"',
      {
        cause: error,
      },
    );
  } finally {
    await location.close();
  }
}
