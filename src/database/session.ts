import { isDeepStrictEqual } from 'node:util';
import type { ClientBase } from 'pg';

/** Limits that PostgreSQL enforces for our statements. Null or absent: no limit of ours. */
export interface SessionRules {
  /** The longest a statement may take. */
  readonly statementTimeoutMs: number | null;
  /** The longest a statement waits for a lock. */
  readonly lockTimeoutMs: number | null;
  /** The longest a transaction may do nothing. */
  readonly idleInTransactionTimeoutMs: number | null;
  readonly readOnly?: boolean;
}

/** Members of a `pg` connection beyond its types. */
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

/** Inside a transaction, this setting has another name. */
const inTransaction = (name: string): string =>
  name === 'default_transaction_read_only' ? 'transaction_read_only' : name;

/** Connections behind a pooler, with the text that begins a transaction with our rules. */
const pooled = new WeakMap<object, string>();

/**
 * True if no pooler stands between this connection and PostgreSQL: a pooler reports a process id of its own invention.
 * In transaction mode a pooler gives each transaction to any of its own connections, so that no setting and no prepared
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
 * Applies the rules to a new connection. They cannot be startup parameters, which PgBouncer refuses. A direct
 * connection gets them once, a connection behind a pooler in every transaction.
 */
export async function applyRules(session: Session, rules: SessionRules): Promise<void> {
  const settings = settingsOf(rules);
  if (await isDirect(session, settings)) return;
  const local = settings.map(([name, value]) => `set local ${inTransaction(name)} = '${value}'`);
  pooled.set(session, ['begin', ...local].join('; '));
}

/** The text that begins a transaction with our rules; null if the connection keeps settings and prepared statements. */
export const pooledBegin = (session: object): string | null => pooled.get(session) ?? null;

/** True if a pooler stands between this connection, which has no rules, and PostgreSQL. */
export async function isPooled(client: ClientBase): Promise<boolean> {
  return !(await isDirect(client as unknown as Session, []));
}

const WHERE = `
  select pg_postmaster_start_time()::text as started,
    (select oid::text from pg_database where datname = current_database()) as oid`;

/** True if both connections lead to one database of one server. */
export async function isSameDatabase(a: ClientBase, b: ClientBase): Promise<boolean> {
  const [one, other] = await Promise.all([a.query(WHERE), b.query(WHERE)]);
  return isDeepStrictEqual(one.rows, other.rows);
}
