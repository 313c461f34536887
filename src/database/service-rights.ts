const CHANGE = ['select', 'insert', 'update', 'delete'] as const;
/** Only the owner can change or remove rows. */
const APPEND = ['select', 'insert'] as const;
/** Policy versions and their history never change. */
const IMMUTABLE = ['select', 'insert'] as const;
/** A trigger adds rows as the owner. */
const TAKE = ['select', 'delete'] as const;
/** Retention may remove rows, but nobody may change them. */
const APPEND_AND_REMOVE = ['select', 'insert', 'delete'] as const;

/** Rights of the service on every table of this version; a test compares the names with the entities. */
export const TABLE_RIGHTS = {
  api_keys: CHANGE,
  approval_words: CHANGE,
  approvals: CHANGE,
  audit_checkpoints: APPEND,
  audit_log: APPEND,
  audit_seals: APPEND,
  audit_unsealed: TAKE,
  card_pieces: CHANGE,
  card_replies: CHANGE,
  cards: CHANGE,
  chat_moves: CHANGE,
  console_links: CHANGE,
  console_sessions: CHANGE,
  counted_taps: CHANGE,
  decisions: CHANGE,
  digest_state: CHANGE,
  direct_lanes: CHANGE,
  fatigue_state: CHANGE,
  fatigue_warnings: CHANGE,
  grants: CHANGE,
  insight_hours: CHANGE,
  lane_states: CHANGE,
  lanes: CHANGE,
  leases: CHANGE,
  oidc_provider: CHANGE,
  oidc_sign_ins: CHANGE,
  outbox: CHANGE,
  outbox_lanes: CHANGE,
  passkey_challenges: CHANGE,
  passkey_invites: CHANGE,
  passkeys: CHANGE,
  people: IMMUTABLE,
  policy_activations: IMMUTABLE,
  policy_proposals: CHANGE,
  policy_state: CHANGE,
  policy_versions: IMMUTABLE,
  receipts: APPEND_AND_REMOVE,
  record_state: CHANGE,
  record_waiting: CHANGE,
  replicas: CHANGE,
  rota_overrides: CHANGE,
  send_slots: CHANGE,
  signing_keys: CHANGE,
  stop_confirmations: CHANGE,
  turns: CHANGE,
} satisfies Record<string, readonly string[]>;

/** Tables to which the service only appends. */
export const APPEND_ONLY: readonly string[] = Object.entries(TABLE_RIGHTS).flatMap(([table, rights]) =>
  rights === APPEND ? [table] : [],
);

/** Runs as the owner; the service calls it to remove old audit rows. */
export const PRUNE_FUNCTION = 'audit_prune(timestamptz)';

/** Quotes an identifier as PostgreSQL does, with `"` doubled. */
const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;

/**
 * Returns one string, so one transaction: the service's role never has more rights than at the end. Names only the
 * tables of this version, because tables of a newer one are not ours to grant.
 */
export function grantsFor(service: string): string {
  const role = quoted(service);
  return [
    `grant usage on schema public to ${role}`,
    `grant select on migrations to ${role}`,
    ...Object.entries(TABLE_RIGHTS).flatMap(([table, rights]) => [
      `revoke all on ${table} from ${role}`,
      `grant ${rights.join(', ')} on ${table} to ${role}`,
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
