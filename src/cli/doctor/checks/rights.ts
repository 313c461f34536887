import { error, seen, skipped, type Check } from '../check';

/** $1: tables. One that is not there has no rights to speak of, and is the business of the migrations. */
const RIGHTS = {
  name: 'doctor-rights',
  text: `
  select current_user::text as role, coalesce(array_agg(name order by name) filter (
    where not (has_table_privilege(to_regclass(name), 'select') and has_table_privilege(to_regclass(name), 'insert'))
  ), '{}') as closed
  from unnest($1::text[]) as name`,
};

interface Rights extends Record<string, unknown> {
  readonly role: string;
  readonly closed: readonly string[];
}

/** The service's own role may read and fill every table; without, it starts, and fails when it comes to that table. */
export const rightsCheck: Check = {
  name: 'rights',
  async examine({ reached }) {
    if (reached.database === null) return skipped('needs the database');
    const [rights] = await reached.database.query<Rights>(RIGHTS, [reached.tables]);
    if (!rights) throw new Error('the database did not tell its rights');
    const { role, closed } = rights;
    if (closed.length === 0) return seen(`${role} may use every table`);
    return seen(
      `${role} may not use every table`,
      error(
        `the service's role ${role} may not read and fill ${closed.join(', ')}`,
        'run the migrations as the owner, which give it its rights again, also where none is pending: ' +
          '"npm run migrate", or the migration job',
      ),
    );
  },
};
