import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { Pool, PoolClient, QueryResultRow } from 'pg';
import { DataSource } from 'typeorm';
import { DomainError } from '../kernel/errors';

/** A statement that PostgreSQL parses once a connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Serialization failure and deadlock: PostgreSQL rolled the statement back and asks for it again. */
const RETRYABLE = new Set(['40001', '40P01']);
const MAX_TRIES = 5;

/** SQLSTATEs that say the database cannot serve now: shutdown, start-up, too many clients, read-only, disk full. */
const UNAVAILABLE = new Set(['57P01', '57P02', '57P03', '53300', '25006', '53100', '57014']);

/** What the socket to the database can fail with. */
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

/** What `pg` and `pg-pool` say of a connection that is gone; these errors have no code. */
const CONNECTION_LOST =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client .* is not queryable|Cannot use a pool after calling end)/;

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** Whether an error of the driver's says that the database is away rather than that the statement is wrong. */
function isAway(error: unknown): boolean {
  const code = codeOf(error);
  return (
    UNAVAILABLE.has(code) ||
    RETRYABLE.has(code) ||
    code.startsWith('08') ||
    SOCKET_ERRORS.has(code) ||
    (error instanceof Error && CONNECTION_LOST.test(error.message))
  );
}

/** Whether the database did not answer. Any other failure is none of the database's, however much it looks like one. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'database.unavailable';
}

/** The one door to the driver: only what fails behind it can say that the database is away. */
async function driven<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!isAway(error)) throw error;
    const message = 'The database does not answer; try again shortly.';
    throw new DomainError('database.unavailable', message, { cause: error });
  }
}

const isRetryable = (error: unknown): boolean =>
  isUnavailable(error) && RETRYABLE.has(codeOf((error as DomainError).cause));

/** Connections of the pool at this moment. */
export interface PoolUse {
  readonly max: number;
  readonly total: number;
  readonly idle: number;
  /** Queries that wait for a connection. */
  readonly waiting: number;
}

/** The statement fails as well, which is enough to know. */
const heard = (): void => undefined;

type Querier = Pick<PoolClient, 'query'>;

/** The hot path to PostgreSQL: named prepared statements on TypeORM's own pool. */
@Injectable()
export class Database {
  private readonly pool: Pool;

  constructor(@InjectDataSource() dataSource: DataSource) {
    this.pool = (dataSource.driver as unknown as { master: Pool }).master;
    // A connection that breaks while it is on loan says so by an event too, and one that nobody hears ends the process.
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
   * @throws DomainError `database.unavailable` when PostgreSQL cannot be reached or cannot serve.
   */
  async query<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    return this.withRetry(() => run<Row>(this.pool, statement, values));
  }

  /**
   * Runs several statements in one transaction, again from the start when PostgreSQL asks for it.
   *
   * @throws DomainError `database.unavailable` when PostgreSQL cannot be reached or cannot serve.
   */
  async transaction<T>(
    work: (
      query: <Row extends QueryResultRow>(s: Statement, v: readonly unknown[]) => Promise<Row[]>,
    ) => Promise<T>,
  ): Promise<T> {
    return this.withRetry(async () => {
      const client = await driven(() => this.pool.connect());
      let broken = true;
      try {
        await driven(() => client.query('begin'));
        const result = await work((statement, values) => run(client, statement, values));
        await driven(() => client.query('commit'));
        broken = false;
        return result;
      } catch (error) {
        broken = await client.query('rollback').then(
          () => false,
          () => true,
        );
        throw error;
      } finally {
        client.release(broken);
      }
    });
  }

  private async withRetry<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (attempt >= MAX_TRIES || !isRetryable(error)) throw error;
      }
    }
  }
}

async function run<Row extends QueryResultRow>(
  on: Querier,
  statement: Statement,
  values: readonly unknown[],
): Promise<Row[]> {
  const result = await driven(() => on.query<Row>({ ...statement, values: [...values] }));
  return result.rows;
}
