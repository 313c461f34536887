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

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** Whether the error says that the database is away rather than that the statement is wrong. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof DomainError) return error.code === 'database.unavailable';
  const code = codeOf(error);
  if (UNAVAILABLE.has(code) || RETRYABLE.has(code) || code.startsWith('08')) return true;
  if (['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'ENOENT', 'EAI_AGAIN'].includes(code))
    return true;
  return (
    error instanceof Error &&
    /connection terminated|timeout exceeded when trying to connect|query read timeout|not queryable|ended/i.test(
      error.message,
    )
  );
}

function translated(error: unknown): unknown {
  return isUnavailable(error) && !(error instanceof DomainError)
    ? new DomainError('database.unavailable', 'The database does not answer; try again shortly.', {
        cause: error,
      })
    : error;
}

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
      const client = await this.pool.connect();
      let broken = true;
      try {
        await client.query('begin');
        const result = await work((statement, values) => run(client, statement, values));
        await client.query('commit');
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
        if (attempt >= MAX_TRIES || !RETRYABLE.has(codeOf(error))) throw translated(error);
      }
    }
  }
}

async function run<Row extends QueryResultRow>(
  on: Querier,
  statement: Statement,
  values: readonly unknown[],
): Promise<Row[]> {
  const result = await on.query<Row>({ ...statement, values: [...values] });
  return result.rows;
}
