import { randomInt } from 'node:crypto';
import { Injectable } from '@nestjs/common';

/** First key of the advisory locks by which replicas detect each other. */
const PRESENCE_CLASS = 20_028;
const MAX_NUMBER = 2 ** 31 - 1;
/** `objsubid` in `pg_locks` of an advisory lock with two keys. */
const TWO_KEYS = 2;

/**
 * Statement that makes a replica present for as long as its connection lives. The lock is shared, so that a connection
 * that replaces a half-open one does not wait for it.
 */
export const ANNOUNCE_PRESENCE = `select pg_advisory_lock_shared(${PRESENCE_CLASS}, $1)`;

/**
 * Shortens PostgreSQL's keepalive of two hours. A replica whose machine is gone is absent after 25 s; one whose process
 * is killed, at once.
 */
export const NOTICE_ABSENCE = `set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3`;

/** SQL condition: the replica with this number is present. A null number belongs to no replica. */
export const isPresent = (number: string): string => `exists (
    select from pg_locks where locktype = 'advisory' and granted and objsubid = ${TWO_KEYS}
      and database = (select oid from pg_database where datname = current_database())
      and classid = ${PRESENCE_CLASS}::oid and objid = ${number}::oid)`;

/** Announces this replica to the others, so that they know it runs. */
@Injectable()
export class ReplicaPresence {
  /** Number under which this process is present in the database; no other process uses it. */
  readonly number = randomInt(1, MAX_NUMBER);
  private announced = false;

  /** Records whether the connection with the announcement is up; only that connection calls it. */
  announce(announced: boolean): void {
    this.announced = announced;
  }

  /** The number while other replicas can see it; null while they would take this replica for absent. */
  get visibleNumber(): number | null {
    return this.announced ? this.number : null;
  }
}
