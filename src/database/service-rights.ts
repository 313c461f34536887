/** Tables to which the service only appends; only the owner could change rows. */
export const APPEND_ONLY: readonly string[] = ['audit_log', 'audit_seals', 'audit_checkpoints'];

/** Tables whose rows retention may remove, but nobody may change. */
const NEVER_CHANGED: readonly string[] = ['receipts'];

/** Runs as the owner; the service calls it to remove old audit rows. */
export const PRUNE_FUNCTION = 'audit_prune(timestamptz)';

/** Quotes an identifier as PostgreSQL does, with `"` doubled. */
const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;

/** The rights of the service on a table. */
export function tableRights(table: string): readonly string[] {
  if (APPEND_ONLY.includes(table)) return ['select', 'insert'];
  return NEVER_CHANGED.includes(table)
    ? ['select', 'insert', 'delete']
    : ['select', 'insert', 'update', 'delete'];
}

/**
 * Returns one string, so one transaction: the service's role never has more rights than at the end. Names only the
 * tables of this version, because tables of a newer one are not ours to grant.
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
 * Revokes rights that PostgreSQL gives everybody, or gave before version 15. A role that makes temporary tables, or
 * objects in a schema that others search, can put its own names before the owner's. One statement each, because a role
 * that owns the schema need not own the database.
 */
export function revocationsFor(service: string, database: string): readonly string[] {
  const from = `from public, ${quoted(service)}`;
  return [
    `revoke temporary, create on database ${quoted(database)} ${from}`,
    `revoke create on schema public ${from}`,
  ];
}
