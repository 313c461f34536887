import 'reflect-metadata';
import { loadConfig } from '../config/config.module';
import { secretsIn } from '../config/secrets';
import { describeError } from '../kernel/describe-error';
import { createLog } from '../logging/log';
import { createRedactor } from '../logging/redact';
import { locateDatabase } from './database-location';
import { migrate, revertMigration } from './migrations';

/** Migrates the schema of the configured database, or reverts its newest migration, and prints the result. */
export async function migrateDatabase(direction: 'up' | 'down'): Promise<void> {
  const config = loadConfig();
  const location = await locateDatabase(config, createLog(config.log));
  try {
    if (direction === 'down') {
      const name = await revertMigration(location.ownerUrl);
      console.log(name === null ? 'There was no migration to take back.' : `Took back ${name}.`);
    } else {
      const done = await migrate(location.ownerUrl, location.url, {
        waits: (holder) =>
          console.log(`Waiting for the migration lock, held by ${holder ?? 'another process'} …`),
        begins: (names) => console.log(`Running ${names.length} migrations: ${names.join(', ')} …`),
      });
      console.log(done.length === 0 ? 'The schema is up to date.' : `Ran ${done.join(', ')}.`);
    }
  } finally {
    await location.close();
  }
}

// `npm run migrate` and `npm run migrate:revert`; the command line imports this file.
if (require.main === module)
  migrateDatabase(process.argv[2] === 'down' ? 'down' : 'up').then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`countersign: ${createRedactor(secretsIn(process.env))(describeError(error))}\n`);
      process.exit(1);
    },
  );
