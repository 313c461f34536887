import { APPEND_ONLY } from '../../../database/service-rights';
import { error, seen, skipped, warning, type Check, type Finding } from '../check';

/**
 * $1: tables. Finds the ways in which the service's role could change audit rows: rights on the tables; schemas where
 * it could shadow the names that the owner's statements and functions use; functions that run as their owner and
 * search such schemas; roles that the service's role belongs to.
 */
const RIGHTS = {
  name: 'doctor-audit-rights',
  text: `
  with recursive audit as (
    select c.oid, c.relname, c.relowner, c.relnamespace from pg_class c
    where c.oid in (select to_regclass(name) from unnest($1::text[]) as name)
  ), held (oid) as (
    -- Not pg_has_role alone, which says yes to a superuser for every role.
    select oid from pg_roles where rolname = current_user
    union select m.roleid from pg_auth_members m join held on held.oid = m.member
  )
  select current_user::text as role, current_database()::text as database,
    quote_ident(current_user) as "quotedRole", quote_ident(current_database()) as "quotedDatabase",
    exists (select 1 from audit where pg_has_role(relowner, 'member')) as owns,
    array(
      select privilege || ' on ' || relname from audit,
        unnest('{update,delete,truncate,trigger}'::text[]) with ordinality as r (privilege, place)
      where has_table_privilege(audit.oid, privilege) order by relname, place
    ) as rewrites,
    array(
      select rolname::text from pg_roles join held using (oid)
      where rolsuper or rolcreaterole or rolreplication or rolname in
        ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_write_all_data')
      order by rolname
    ) as powers,
    has_database_privilege(current_database(), 'temporary') as temporary,
    has_database_privilege(current_database(), 'create') as "createsSchemas",
    array(
      select distinct quote_ident(nspname) from pg_namespace join audit on audit.relnamespace = pg_namespace.oid
      where has_schema_privilege(pg_namespace.oid, 'create')
    ) as "createsIn",
    array(
      select oid::regprocedure::text from pg_proc
      where prosecdef and proowner in (select relowner from audit) and has_function_privilege(oid, 'execute')
        and not 'search_path=pg_catalog, pg_temp' = any(coalesce(proconfig, '{}'))
      order by 1
    ) as unsafe`,
};

interface Rights extends Record<string, unknown> {
  readonly role: string;
  readonly quotedRole: string;
  readonly quotedDatabase: string;
  /** The role is the owner, or may become the owner. */
  readonly owns: boolean;
  readonly rewrites: readonly string[];
  readonly powers: readonly string[];
  readonly temporary: boolean;
  readonly createsSchemas: boolean;
  readonly createsIn: readonly string[];
  readonly unsafe: readonly string[];
}

type Found = Omit<Finding, 'check'>;

const OWN_ROLE =
  'give the service a role that owns nothing in DATABASE_URL, and the owner’s in DATABASE_MIGRATION_URL; ' +
  'deploy/postgres/roles.sql makes both';

function detours(rights: Rights): Found[] {
  const { role, quotedRole, quotedDatabase } = rights;
  const found: Found[] = [];
  if (rights.powers.length > 0) {
    const message = `the service's role ${role} is more than its tables need: it has the attributes or rights of ${rights.powers.join(', ')}`;
    found.push(warning(message, OWN_ROLE));
  }
  const database = [
    ...(rights.temporary ? ['temporary'] : []),
    ...(rights.createsSchemas ? ['create'] : []),
  ].join(', ');
  if (database !== '') {
    found.push(
      warning(
        `the service's role ${role} has the right ${database} on the database, and can put names before the owner's`,
        `as the owner of the database: revoke ${database} on database ${quotedDatabase} from public, ${quotedRole}`,
      ),
    );
  }
  for (const schema of rights.createsIn) {
    found.push(
      warning(
        `the service's role ${role} may create objects in schema ${schema}, and can put names before the owner's`,
        `as the owner of the schema: revoke create on schema ${schema} from public, ${quotedRole}`,
      ),
    );
  }
  return found;
}

/** Checks that the service's role cannot change the audit log, nor become a role that can. */
export const auditRightsCheck: Check = {
  name: 'audit-rights',
  async examine({ reached }) {
    if (reached.database === null) return skipped('needs the database');
    const [rights] = await reached.database.query<Rights>(RIGHTS, [APPEND_ONLY]);
    if (!rights) throw new Error('the database did not report its rights');
    const { role } = rights;
    if (rights.owns) {
      const message = `append-only is not enforced: the service's role ${role} owns the audit tables, and may change and delete audit rows`;
      return seen(`not append-only for ${role}`, warning(message, OWN_ROLE));
    }
    const findings = detours(rights);
    if (rights.rewrites.length > 0) {
      const message = `append-only is not enforced: the service's role ${role} has ${rights.rewrites.join(', ')}`;
      findings.push(warning(message, 'run the migrations as the owner, which take these rights back'));
    }
    if (rights.unsafe.length > 0) {
      const message = `${rights.unsafe.join(', ')} runs with its owner's rights and looks for names where the role ${role} can put them`;
      findings.push(
        error(
          message,
          'run the migrations of this version; a function that is not of Countersign needs ' +
            '"set search_path = pg_catalog, pg_temp" and names with their schema',
        ),
      );
    }
    if (findings.length > 0) return seen(`not append-only for ${role}`, ...findings);
    return seen(`append-only for ${role}`);
  },
};
