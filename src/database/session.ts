import type { ClientBase } from 'pg';

/** Rules that PostgreSQL keeps for our statements. Null or absent: no rule of ours. */
export interface SessionRules {
  /** The longest a statement may take. */
  readonly statementTimeoutMs: number | null;
  /** The longest a statement waits for a lock. */
  readonly lockTimeoutMs: number | null;
  /** The longest a transaction may do nothing. */
  readonly idleInTransactionTimeoutMs: number | null;
  readonly readOnly?: boolean;
}

/** What `pg` tells of a connection, beyond its types. */
export interface Session {
  /** The process that the server named at the start of the connection. */
  readonly processID: number | null;
  query(query: { text: string; values: unknown[] }): Promise<{ rows: { direct: boolean }[] }>;
}

/** Each setting of PostgreSQL with its value. */
function settingsOf(rules: SessionRules): [name: string, value: string][] {
  const settings = [
    ['statement_timeout', rules.statementTimeoutMs],
    ['lock_timeout', rules.lockTimeoutMs],
    ['idle_in_transaction_session_timeout', rules.idleInTransactionTimeoutMs],
    ['default_transaction_read_only', rules.readOnly ? 'on' : null],
  ] as const;
  return settings.flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]]));
}

/** A transaction that has begun takes another name for this setting. */
const inTransaction = (name: string): string =>
  name === 'default_transaction_read_only' ? 'transaction_read_only' : name;

/** Connections behind a pooler, with the text that begins a transaction under our rules. */
const pooled = new WeakMap<object, string>();

/**
 * True if a pooler stands between this connection and PostgreSQL: a pooler names a process of its own invention. In
 * transaction mode it hands every transaction to any connection of its own, so that neither a setting nor a prepared
 * statement of the session lasts.
 */
async function isDirect(session: Session, settings: readonly [string, string][]): Promise<boolean> {
  const direct = 'pg_backend_pid() = $1::int';
  const set = settings.map(
    ([name], n) => `case when ${direct} then set_config('${name}', $${n + 2}, false) end`,
  );
  const text = `select ${[`${direct} as direct`, ...set].join(', ')}`;
  const { rows } = await session.query({
    text,
    values: [session.processID ?? 0, ...settings.map(([, value]) => value)],
  });
  return rows[0]?.direct === true;
}

/**
 * Puts the rules on a new connection. They are not sent as startup parameters, which PgBouncer refuses: a direct
 * connection is given them for its life, one behind a pooler for every transaction.
 */
export async function applyRules(session: Session, rules: SessionRules): Promise<void> {
  const settings = settingsOf(rules);
  if (await isDirect(session, settings)) return;
  const local = settings.map(([name, value]) => `set local ${inTransaction(name)} = '${value}'`);
  pooled.set(session, ['begin', ...local].join('; '));
}

/** The text that begins a transaction under our rules; null where the connection keeps them and prepared statements. */
export const pooledBegin = (session: object): string | null => pooled.get(session) ?? null;

/** True if a pooler stands between this connection, which has no rules, and PostgreSQL. */
export async function isPooled(client: ClientBase): Promise<boolean> {
  return !(await isDirect(client as unknown as Session, []));
}
