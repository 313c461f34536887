import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Raw } from 'typeorm';
import { Database, type Statement } from './database';
import { DatabaseLocation } from './database-location';
import { LeaseEntity } from './lease.entity';

/** Parameters: name, holder, seconds. Takes a free, lapsed or own lease; the clock is the database's. */
const TAKE: Statement = {
  name: 'lease-take',
  text: `
  insert into leases (name, holder, expires_at) values ($1, $2, now() + make_interval(secs => $3))
  on conflict (name) do update set holder = $2, expires_at = now() + make_interval(secs => $3)
  where leases.holder = $2 or leases.expires_at <= now()
  returning name`,
};

/** Stores in `data` the time at which the holder last did its job, and returns the time before that. */
const BEAT: Statement = {
  name: 'lease-beat',
  text: `
  update leases set data = (extract(epoch from now()) * 1000)::bigint::text
  from (select data as before from leases where name = $1) as earlier
  where name = $1 and holder = $2
  returning before, now() as now`,
};

/** Parameters: name, holder, data that was read, data to store. */
const REPLACE: Statement = {
  name: 'lease-replace-data',
  text: `update leases set data = $4 where name = $1 and holder = $2 and data = $3 returning name`,
};

const NOW = () => 'now()';

/** Grants leases for jobs that only one replica may do at a time. */
@Injectable()
export class LeaseStore implements OnModuleInit {
  /** Id of this process in leases, logs and diagnostics. */
  readonly replica = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;

  constructor(
    private readonly database: Database,
    private readonly location: DatabaseLocation,
  ) {}

  /** With exclusive access, every other lease holder is dead, so waiting for its lease to end is pointless. */
  async onModuleInit(): Promise<void> {
    if (!this.location.exclusive) return;
    const held = { expiresAt: Raw((column) => `${column} > now()`) };
    await this.database.rows(LeaseEntity, (rows) => rows.update(held, { expiresAt: NOW }));
  }

  /** Takes or renews the lease. @returns true if this replica holds it now. */
  async take(name: string, seconds: number): Promise<boolean> {
    return (await this.database.query(TAKE, [name, this.replica, seconds])).length > 0;
  }

  async release(name: string): Promise<void> {
    const mine = { name, holder: this.replica };
    await this.database.rows(LeaseEntity, (rows) => rows.update(mine, { expiresAt: NOW }));
  }

  /** Data of the lease while this replica holds it, else null. */
  async dataOf(name: string): Promise<string | null> {
    const mine = { name, holder: this.replica };
    return (await this.database.rows(LeaseEntity, (rows) => rows.findOneBy(mine)))?.data ?? null;
  }

  /** Replaces the data. @returns false if another replica holds the lease, or has changed the data. */
  async replaceData(name: string, before: string, after: string): Promise<boolean> {
    return (await this.database.query(REPLACE, [name, this.replica, before, after])).length > 0;
  }

  /**
   * Records that the holder did its job. @returns the time any holder last did it, and the time now; null when the
   * lease is lost.
   */
  async beat(name: string): Promise<{ last: Date | null; now: Date } | null> {
    const [row] = await this.database.query<{ before: string; now: Date }>(BEAT, [name, this.replica]);
    if (!row) return null;
    const lastMs = Number(row.before);
    return { last: Number.isInteger(lastMs) ? new Date(lastMs) : null, now: row.now };
  }
}
