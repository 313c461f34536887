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

/** At most one row a minute, type and actor, over all replicas: two unique indexes enforce it. */
const RECORD_FLOOD: Statement = {
  name: 'audit-record-flood',
  withinMs: PERSON_WAITS_MS,
  text: `${RECORD} on conflict do nothing`,
};

const MINUTE_MS = 60_000;
/** Distinct actors recorded within a minute; further ones share one row. */
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
  /** `telegram:` or `api:` and the id; `ip:` and the source address for an unknown caller. */
  readonly actor: string;
  readonly approvalId: string | null;
  readonly correlationId: string | null;
  readonly data: JsonObject;
}

/**
 * Refusals that a caller can cause without limit: without a key, or beyond a rate limit. The indexes name the same
 * types.
 */
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

/** Records refused attempts; a successful statement writes its audit row itself. */
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
   * Records the actor's first refusal in this minute; the others cost no query.
   *
   * @returns true if this was the first one that this replica knows of
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
