import { randomInt } from 'node:crypto';
import { Injectable } from '@nestjs/common';

/** The first key of the advisory locks by which replicas are known to run. */
const PRESENCE_CLASS = 20_028;
const MAX_NUMBER = 2 ** 31 - 1;
/** `objsubid` in `pg_locks` of an advisory lock with two keys. */
const TWO_KEYS = 2;

/**
 * The statement that makes a replica present for as long as its connection lives. Shared, so that a connection that
 * replaces a half-open one does not wait for it.
 */
export const ANNOUNCE_PRESENCE = `select pg_advisory_lock_shared(${PRESENCE_CLASS}, $1)`;

/**
 * PostgreSQL's default is two hours. A replica whose machine is gone is absent after 25 s; one whose process is killed,
 * at once.
 */
export const NOTICE_ABSENCE = `set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3`;

/** SQL: whether the replica with this number is present. A number that is null is nobody's. */
export const isPresent = (number: string): string => `exists (
    select from pg_locks where locktype = 'advisory' and granted and objsubid = ${TWO_KEYS}
      and database = (select oid from pg_database where datname = current_database())
      and classid = ${PRESENCE_CLASS}::oid and objid = ${number}::oid)`;

/** By what the replicas know each other to run. */
@Injectable()
export class ReplicaPresence {
  /** The number under which this process is present in the database, and after it no other. */
  readonly number = randomInt(1, MAX_NUMBER);
  private announced = false;

  /** To be said by the connection with the announcement. */
  announce(announced: boolean): void {
    this.announced = announced;
  }

  /** The number, while others can see it; null while they would take this replica for absent. */
  get visibleNumber(): number | null {
    return this.announced ? this.number : null;
  }
}
