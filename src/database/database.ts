import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import {
  DatabaseError,
  type Pool,
  type PoolClient,
  type QueryConfig,
  type QueryResult,
  type QueryResultRow,
} from 'pg';
import { DataSource, QueryFailedError, type ObjectLiteral, type Repository } from 'typeorm';
import { DomainError } from '../kernel/errors';
import { pooledBegin } from './session';

/** A statement that PostgreSQL parses once per connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** Maximum wait of its caller, including the wait for a free connection; without it, the limit of the pool. */
  readonly withinMs?: number;
}

/**
 * Limit for statements whose answer a person waits for: answered within 3 s, whatever the database does. It leaves room
 * for a wait of 2 s for a lock.
 */
export const PERSON_WAITS_MS = 2_800;

/** Serialization failure and deadlock: PostgreSQL rolled the statement back and wants a retry. */
const RETRYABLE = new Set(['40001', '40P01']);
const MAX_TRIES = 5;

/** SQLSTATE: another transaction holds a lock for longer than a statement waits. */
const LOCK_TIMEOUT = '55P03';

/**
 * SQLSTATEs of a database that cannot serve now: ended sessions and transactions, start-up, read-only, locks; and the
 * classes of lost connections, missing resources and failures of its system.
 */
const UNAVAILABLE = /^(57P0[1-5]|57014|25006|25P0[34]|08...|53...|58...|55P03|40001|40P01)$/;

/** Error codes of the socket to the database. */
const SOCKET_ERRORS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'ENOENT',
  'EAI_AGAIN',
]);

/** Messages of `pg` and `pg-pool` for a lost connection; these errors have no code. */
const CONNECTION_LOST =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client .* is not queryable|Cannot use a pool after calling end)/;

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** True if an error of the driver means that the database is unavailable, and not that the statement is wrong. */
function isAway(error: unknown): boolean {
  const code = codeOf(error);
  return (
    UNAVAILABLE.test(code) ||
    SOCKET_ERRORS.has(code) ||
    (error instanceof Error && CONNECTION_LOST.test(error.message))
  );
}

/**
 * True if the database did not answer. Every other error comes from elsewhere, even if it looks like one of the driver.
 */
export function isUnavailable(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'database.unavailable';
}

/** Message of `pg-pool` when no connection became free in time. */
const NO_CONNECTION = 'timeout exceeded when trying to connect';

/** The caller may always retry; the message adds "nothing was changed" where that is certain. */
function adviceOn(error: unknown): string {
  if (codeOf(error) === LOCK_TIMEOUT)
    return 'The database is busy: another transaction holds what this needs. Nothing was changed; try again shortly.';
  if (error instanceof Error && error.message === NO_CONNECTION)
    return 'The database is busy: every connection is in use. Nothing was changed; try again shortly.';
  return 'The database does not answer; try again shortly.';
}

/** Without a connection nothing can be served, whatever the server refuses it for: a login during a failover, too. */
function toUnreachable(cause: unknown): DomainError {
  return new DomainError('database.unavailable', adviceOn(cause), { cause });
}

/** Converts errors of the driver only: no other error can mean that the database is unavailable. */
function toUnavailable(error: unknown): unknown {
  return isAway(error) ? toUnreachable(error) : error;
}

/** True if a statement gave up because another transaction holds a lock: nothing was changed. */
export function isLockTimeout(error: unknown): boolean {
  return isUnavailable(error) && codeOf((error as DomainError).cause) === LOCK_TIMEOUT;
}

const isRetryable = (error: unknown): boolean =>
  isUnavailable(error) && RETRYABLE.has(codeOf((error as DomainError).cause));

/** Runs a statement in a transaction under way. */
export type Query = <Row extends QueryResultRow>(
  statement: Statement,
  values: readonly unknown[],
) => Promise<Row[]>;

/** Current connections of the pool. */
export interface PoolUse {
  readonly max: number;
  readonly total: number;
  readonly idle: number;
  /** Queries waiting for a connection. */
  readonly waiting: number;
}

/** Ignores the error: the statement fails as well, and reports it. */
const heard = (): void => undefined;

/** The way to PostgreSQL on TypeORM's pool: prepared statements where speed matters, repositories elsewhere. */
@Injectable()
export class Database {
  private readonly pool: Pool;

  constructor(@InjectDataSource() private readonly source: DataSource) {
    this.pool = (source.driver as unknown as { master: Pool }).master;
    // A connection that breaks while in use also emits an event; without a listener it would end the process.
    this.pool.on('acquire', (client) => {
      if (!client.listeners('error').includes(heard)) client.on('error', heard);
    });
  }

  get poolUse(): PoolUse {
    const { options, totalCount, idleCount, waitingCount } = this.pool;
    return { max: options.max, total: totalCount, idle: idleCount, waiting: waitingCount };
  }

  /**
   * Runs one statement in a transaction of its own.
   *
   * @throws DomainError `database.unavailable` when PostgreSQL cannot be reached or cannot serve, or when the
   * statement's time is up.
   */
  query<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    return this.withConnection(new Deadline(statement.withinMs), (on) =>
      alone(on, () => run<Row>(on, statement, values)),
    );
  }

  /**
   * Calls one method of a TypeORM repository, in a transaction of its own. Has the limits, retries and errors of
   * {@link query}. The entity must be one of the data source.
   *
   * @throws DomainError `database.unavailable` as {@link query} does.
   */
  rows<Entity extends ObjectLiteral, T>(
    entity: new () => Entity,
    work: (rows: Repository<Entity>) => Promise<T>,
  ): Promise<T> {
    return this.withConnection(new Deadline(undefined), (on) => {
      const runner = this.source.createQueryRunner();
      // TypeORM sends every statement through the connection of its runner.
      runner.connect = () => Promise.resolve({ query: on.query.bind(on) });
      return alone(on, () => work(runner.manager.getRepository(entity)).catch(throwCause));
    });
  }

  /**
   * Runs several statements in one transaction, and retries all of them when PostgreSQL asks for it.
   *
   * @param withinMs maximum wait of its caller; without it, the limit of the pool for each statement
   * @throws DomainError `database.unavailable` when PostgreSQL cannot be reached or cannot serve.
   */
  async transaction<T>(work: (query: Query) => Promise<T>, withinMs?: number): Promise<T> {
    return this.withConnection(new Deadline(withinMs), (on) =>
      inTransaction(on, () => work((statement, values) => run(on, statement, values))),
    );
  }

  /** Does the work on a connection of the pool, and retries all of it when PostgreSQL asks for it. */
  private async withConnection<T>(deadline: Deadline, work: (on: Connection) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const connection = new Connection(await this.acquire(deadline), deadline);
      try {
        return await work(connection);
      } catch (error) {
        if (attempt >= MAX_TRIES || !isRetryable(error)) throw error;
      } finally {
        connection.release();
      }
    }
  }

  private async acquire(deadline: Deadline): Promise<PoolClient> {
    const isFree = this.pool.idleCount > this.pool.waitingCount;
    const connecting = this.pool.connect();
    try {
      return isFree || deadline.leftMs === undefined
        ? await connecting
        : await within(deadline.leftMs, connecting);
    } catch (error) {
      throw toUnreachable(error);
    }
  }
}

/** Resolves with the connection, unless it comes too late. */
async function within(ms: number, connecting: Promise<PoolClient>): Promise<PoolClient> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => (timer = setTimeout(resolve, ms, null)));
  const client = await Promise.race([connecting, late]).finally(() => clearTimeout(timer));
  if (client) return client;
  // A late connection goes back to the pool; a late error was reported already.
  void connecting.then((unused) => unused.release(), heard);
  throw new Error(NO_CONNECTION);
}

/** A caller's remaining time, on the monotonic clock. */
class Deadline {
  private readonly at: number | null;

  constructor(withinMs: number | undefined) {
    this.at = withinMs === undefined ? null : performance.now() + withinMs;
  }

  /** At least 1, since the driver takes 0 for no limit; undefined: no limit of its own. */
  get leftMs(): number | undefined {
    return this.at === null ? undefined : Math.max(1, Math.ceil(this.at - performance.now()));
  }
}

/** A connection borrowed from the pool. */
class Connection {
  /** True behind a pooler: a transaction must begin with our session rules, and prepared statements do not last. */
  readonly pooled: boolean;
  /** A connection is fine after PostgreSQL refused its last statement; after any other failure it may not be. */
  private broken = false;

  constructor(
    private readonly client: PoolClient,
    private readonly deadline: Deadline,
  ) {
    this.pooled = pooledBegin(client) !== null;
  }

  /** Has the signature by which TypeORM calls a connection. */
  query(text: string, values: unknown[] = []): Promise<QueryResult> {
    return this.send({ text, values });
  }

  async send<Row extends QueryResultRow>(query: QueryConfig): Promise<QueryResult<Row>> {
    const { leftMs } = this.deadline;
    const timed: QueryConfig & { query_timeout?: number } =
      leftMs === undefined ? query : { ...query, query_timeout: leftMs };
    try {
      const result = await this.client.query<Row>(timed);
      this.broken = false;
      return result;
    } catch (error) {
      this.broken = !(error instanceof DatabaseError);
      throw toUnavailable(error);
    }
  }

  async begin(): Promise<void> {
    await this.send({ text: pooledBegin(this.client) ?? 'begin' });
  }

  release(): void {
    this.client.release(this.broken);
  }
}

/** TypeORM wraps the error of the connection. */
function throwCause(error: unknown): never {
  throw error instanceof QueryFailedError ? error.driverError : error;
}

/** Runs a single statement, which is a transaction by itself unless a pooler needs our rules before it. */
function alone<T>(on: Connection, work: () => Promise<T>): Promise<T> {
  return on.pooled ? inTransaction(on, work) : work();
}

async function inTransaction<T>(on: Connection, work: () => Promise<T>): Promise<T> {
  try {
    await on.begin();
    const result = await work();
    await on.send({ text: 'commit' });
    return result;
  } catch (error) {
    // A connection that cannot roll back is broken; the first error is more informative.
    await on.send({ text: 'rollback' }).catch(heard);
    throw error;
  }
}

async function run<Row extends QueryResultRow>(
  on: Connection,
  { name, text }: Statement,
  values: readonly unknown[],
): Promise<Row[]> {
  const query = { text, values: [...values] };
  const { rows } = await on.send<Row>(on.pooled ? query : { name, ...query });
  return rows;
}
