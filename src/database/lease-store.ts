import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import { Database, type Statement } from './database';

/** Parameters: name, holder, seconds. Takes a free, lapsed or own lease; the clock is the database's. */
const TAKE: Statement = {
  name: 'lease-take',
  text: `
  insert into leases (name, holder, expires_at) values ($1, $2, now() + make_interval(secs => $3))
  on conflict (name) do update set holder = $2, expires_at = now() + make_interval(secs => $3)
  where leases.holder = $2 or leases.expires_at <= now()
  returning data`,
};

const RELEASE: Statement = {
  name: 'lease-release',
  text: `update leases set expires_at = now() where name = $1 and holder = $2`,
};

const KEEP: Statement = {
  name: 'lease-keep-data',
  text: `update leases set data = $3 where name = $1 and holder = $2`,
};

/** Jobs that only one replica does at a time. */
@Injectable()
export class LeaseStore {
  /** This process, in leases, logs and diagnostics. */
  readonly replica = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;

  constructor(private readonly database: Database) {}

  /** @returns what the last holder left behind, as JSON text, or null when another replica holds the lease. */
  async take(name: string, seconds: number): Promise<string | null> {
    const [row] = await this.database.query<{ data: string }>(TAKE, [name, this.replica, seconds]);
    return row?.data ?? null;
  }

  async release(name: string): Promise<void> {
    await this.database.query(RELEASE, [name, this.replica]);
  }

  /** Leaves something for the next holder. */
  async keep(name: string, data: string): Promise<void> {
    await this.database.query(KEEP, [name, this.replica, data]);
  }
}
