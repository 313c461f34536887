import { error, seen, skipped, type Check } from '../check';

const EXISTS = {
  name: 'doctor-has-migrations',
  text: `select to_regclass('migrations') is not null as there`,
};
const APPLIED = { name: 'doctor-migrations', text: 'select name::text from migrations order by id' };

/** The schema is the one that this version expects. Newer migrations do no harm: a neighbouring version made them. */
export const migrationsCheck: Check = {
  name: 'migrations',
  async examine({ reached }) {
    if (reached.database === null) return skipped('needs the database');
    const { database, migrations } = reached;
    const [table] = await database.query<{ there: boolean }>(EXISTS, []);
    const applied = table?.there === true ? await database.query<{ name: string }>(APPLIED, []) : [];
    const names = new Set(applied.map(({ name }) => name));
    const pending = migrations.filter((name) => !names.has(name));
    const note = `${applied.length} applied, ${pending.length} pending`;
    if (pending.length === 0) return seen(note);
    return seen(
      note,
      error(
        `the schema lacks ${pending.join(', ')}`,
        'run the migrations as the owner: "npm run migrate", or the migration job of the deployment',
      ),
    );
  },
};
