import { PRUNE_FUNCTION, TABLE_RIGHTS } from '../../../database/service-rights';
import { error, seen, skipped, type Check } from '../check';

/** $1, $2: tables and a right for each; $3: the function. The check of the migrations reports missing ones. */
const RIGHTS = {
  name: 'doctor-rights',
  text: `
  select current_user::text as role, array(
    select privilege || ' on ' || name from unnest($1::text[], $2::text[]) as needed (name, privilege)
    where not has_table_privilege(to_regclass(name), privilege)
    union all select 'execute on ' || $3::text where not has_function_privilege(to_regprocedure($3::text), 'execute')
  ) as lacking`,
};

interface Rights extends Record<string, unknown> {
  readonly role: string;
  readonly lacking: readonly string[];
}

const NEEDED = Object.entries(TABLE_RIGHTS).flatMap(([name, rights]) =>
  rights.map((right) => ({ name, right })),
);

/** Checks that the service's role has every right that the migrations grant; without one, its queries would fail. */
export const rightsCheck: Check = {
  name: 'rights',
  async examine({ reached }) {
    if (reached.database === null) return skipped('needs the database');
    const [rights] = await reached.database.query<Rights>(RIGHTS, [
      NEEDED.map(({ name }) => name),
      NEEDED.map(({ right }) => right),
      PRUNE_FUNCTION,
    ]);
    if (!rights) throw new Error('the database did not report its rights');
    const { role, lacking } = rights;
    if (lacking.length === 0) return seen(`${role} may use every table`);
    return seen(
      `${role} may not use every table`,
      error(
        `the service's role ${role} lacks ${lacking.join(', ')}`,
        'run the migrations as the owner, which give it its rights again, also where none is pending: ' +
          '"npm run migrate" in a checkout, else "countersign migrate", or the migration job',
      ),
    );
  },
};
