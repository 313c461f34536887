import { Injectable } from '@nestjs/common';
import { Raw } from 'typeorm';
import { Database, type Statement } from '../../database/database';
import { LeaseEntity } from '../../database/lease.entity';

const FACTS: Statement = {
  name: 'diagnostics-facts',
  text: `
  select current_setting('server_version') as version, pg_database_size(current_database())::float8 as bytes`,
};

const PING: Statement = { name: 'diagnostics-ping', text: 'select 1' };

export interface DatabaseFacts {
  readonly serverVersion: string;
  readonly sizeBytes: number;
}

export interface LeaseHolder {
  readonly replica: string;
  readonly expiresAt: Date;
}

/** Reads facts from the database. All methods reject with DomainError `database.unavailable`. */
@Injectable()
export class DatabaseFactsStore {
  constructor(private readonly database: Database) {}

  async read(): Promise<DatabaseFacts> {
    const [row] = await this.database.query<{ version: string; bytes: number }>(FACTS, []);
    if (!row) throw new Error('the database told nothing about itself');
    return { serverVersion: row.version, sizeBytes: row.bytes };
  }

  async ping(): Promise<void> {
    await this.database.query(PING, []);
  }

  /** @returns the replica that holds the lease of a single-replica job; null: none. */
  async leaseHolder(name: string): Promise<LeaseHolder | null> {
    const expiresAt = Raw((column) => `${column} > now()`);
    const lease = await this.database.rows(LeaseEntity, (rows) => rows.findOneBy({ name, expiresAt }));
    return lease && { replica: lease.holder, expiresAt: lease.expiresAt };
  }
}
