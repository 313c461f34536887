import { seen, skipped, warning, type Check } from '../check';

const RIGHTS = {
  name: 'doctor-audit-rights',
  text: `
  select current_user::text as role,
    has_table_privilege('audit_log', 'update') or has_table_privilege('audit_log', 'delete')
      or has_table_privilege('audit_log', 'truncate') as rewrites`,
};

/** The service's own role cannot change what the audit log says. */
export const auditRightsCheck: Check = {
  name: 'audit-rights',
  async examine({ reached }) {
    if (reached.database === null) return skipped('needs the database');
    const [rights] = await reached.database.query<{ role: string; rewrites: boolean }>(RIGHTS, []);
    if (!rights) throw new Error('the database did not tell its rights');
    if (!rights.rewrites) return seen(`append-only for ${rights.role}`);
    return seen(
      `not append-only for ${rights.role}`,
      warning(
        `append-only is not enforced: the service's role ${rights.role} may change and delete audit rows`,
        'give the service a role that owns nothing in DATABASE_URL, and the owner’s in DATABASE_MIGRATION_URL; ' +
          'deploy/postgres/roles.sql makes both',
      ),
    );
  },
};
