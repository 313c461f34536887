import { readSchemaState } from '../../../database/migration-state';
import { error, seen, skipped, type Check } from '../check';

/** Checks that all migrations of this version have run. Later ones are harmless: a newer version has run here. */
export const migrationsCheck: Check = {
  name: 'migrations',
  async examine({ reached }) {
    if (reached.database === null) return skipped('needs the database');
    const { applied, pending, unknown } = await readSchemaState(reached.database, reached.migrations);
    const newer = unknown.length === 0 ? '' : `, of them ${unknown.join(', ')} by a newer version`;
    const note = `${applied.length} applied, ${pending.length} pending${newer}`;
    if (pending.length === 0) return seen(note);
    return seen(
      note,
      error(
        `the schema lacks ${pending.join(', ')}`,
        'run the migrations as the owner: "npm run migrate" in a checkout, else "countersign migrate", or the migration job of the deployment',
      ),
    );
  },
};
