/** The service writes these once and never again: only the owner could change them. */
export const APPEND_ONLY: readonly string[] = ['audit_log', 'audit_seals', 'audit_checkpoints'];

/** Retention removes receipts; nobody changes one. */
const NEVER_CHANGED: readonly string[] = ['receipts'];

/** Runs as the owner; the service calls it to remove old audit rows. */
export const PRUNE_FUNCTION = 'audit_prune(timestamptz)';

/** `"` doubled, as PostgreSQL quotes identifiers. */
const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;

/** The rights of the service on a table. */
export function tableRights(table: string): readonly string[] {
  if (APPEND_ONLY.includes(table)) return ['select', 'insert'];
  return NEVER_CHANGED.includes(table)
    ? ['select', 'insert', 'delete']
    : ['select', 'insert', 'update', 'delete'];
}

/**
 * One string, so one transaction: the service's role is never allowed more than in the end. Names the tables of this
 * version: what a newer one has made is not ours to give.
 */
export function grantsFor(service: string, tables: readonly string[]): string {
  const role = quoted(service);
  return [
    `grant usage on schema public to ${role}`,
    `grant select on migrations to ${role}`,
    ...tables.flatMap((table) => [
      `revoke all on ${table} from ${role}`,
      `grant ${tableRights(table).join(', ')} on ${table} to ${role}`,
    ]),
    `grant execute on function ${PRUNE_FUNCTION} to ${role}`,
  ].join('; ');
}

/**
 * Takes back what PostgreSQL gives everybody, or gave before version 15: a role that makes temporary tables, or objects
 * in a schema that others search, puts names of its own before the owner's. One statement each: a role that owns the
 * schema need not own the database.
 */
export function revocationsFor(service: string, database: string): readonly string[] {
  const from = `from public, ${quoted(service)}`;
  return [
    `revoke temporary, create on database ${quoted(database)} ${from}`,
    `revoke create on schema public ${from}`,
  ];
}
