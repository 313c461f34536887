import { Injectable } from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { Database, PERSON_WAITS_MS, type Statement } from '../database/database';
import { Clock } from '../kernel/clock';
import type { JsonObject } from '../kernel/json';
import { AttemptRefused, type RefusalReason } from './refusal-events';

const RECORD = `
  insert into audit_log (at, type, actor, approval_id, correlation_id, data)
  values (date_trunc('milliseconds', now()), $1, $2, $3, $4, $5)`;

const RECORD_EACH: Statement = {
  name: 'audit-record-refusal',
  withinMs: PERSON_WAITS_MS,
  text: RECORD,
};

/** Once a minute, type and actor, over all replicas: two unique indexes see to it. */
const RECORD_FLOOD: Statement = {
  name: 'audit-record-flood',
  withinMs: PERSON_WAITS_MS,
  text: `${RECORD} on conflict do nothing`,
};

const MINUTE_MS = 60_000;
/** Actors that are told apart within a minute; the rest of a flood from everywhere is one row. */
const MAX_ACTORS = 1_000;

const REASONS = {
  'access.unauthenticated': 'unauthenticated',
  'access.forbidden': 'forbidden',
  'access.rate-limited': 'rate-limited',
  'request.too-large': 'too-large',
  'telegram.tap-refused': 'bad-button',
} satisfies Record<string, RefusalReason>;

export interface Refusal {
  readonly type: keyof typeof REASONS;
  /** `telegram:` or `api:` and who; `ip:` and from where, when nobody knows. */
  readonly actor: string;
  readonly approvalId: string | null;
  readonly correlationId: string | null;
  readonly data: JsonObject;
}

/** What can be caused without end: by anybody, or by going on beyond a limit. The indexes name the same. */
export type Flood = Refusal & {
  readonly type: 'access.unauthenticated' | 'access.rate-limited' | 'request.too-large';
};

const valuesOf = ({ type, actor, approvalId, correlationId, data }: Refusal): unknown[] => [
  type,
  actor,
  approvalId,
  correlationId,
  JSON.stringify(data),
];

/** Attempts that were refused; what succeeds writes its audit row in its own statement. */
@Injectable()
export class RefusalLog {
  private minute = 0;
  private readonly told = new Set<string>();

  constructor(
    private readonly database: Database,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  async record(refusal: Refusal): Promise<void> {
    this.count(refusal);
    await this.database.query(RECORD_EACH, valuesOf(refusal));
  }

  /**
   * The first of the actor's in this minute is written down; the others cost no query.
   *
   * @returns whether this was the first one that this replica knows of
   */
  async recordFlood(flood: Flood): Promise<boolean> {
    this.count(flood);
    const minute = Math.floor(this.clock.now().getTime() / MINUTE_MS);
    if (minute !== this.minute) this.told.clear();
    this.minute = minute;
    const actor = this.told.size < MAX_ACTORS ? flood.actor : 'ip:others';
    const cause = `${flood.type} ${actor}`;
    if (this.told.has(cause) || this.told.has(`${flood.type} ${flood.actor}`)) return false;
    this.told.add(cause);
    await this.database.query(RECORD_FLOOD, valuesOf({ ...flood, actor })).catch((error: unknown) => {
      this.told.delete(cause);
      throw error;
    });
    return true;
  }

  private count({ type, actor }: Refusal): void {
    this.events.publish(
      new AttemptRefused(REASONS[type], actor.startsWith('telegram:') ? 'telegram' : 'api'),
    );
  }
}
