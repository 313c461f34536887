import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database/database';

export type WorkKind = 'card' | 'outcome' | 'warning';

/** A leased piece of work; `leaseToken` proves that the lease is still ours when it ends. */
export interface Work {
  readonly id: string;
  readonly kind: WorkKind;
  readonly approvalId: string;
  readonly chatId: string;
  readonly leaseToken: string;
  /** Leases taken so far, this one included. */
  readonly attempts: number;
}

interface WorkRow {
  id: string;
  kind: WorkKind;
  approval_id: string;
  chat_id: string;
  lease_token: string;
  attempts: number;
}

/** Parameters: lease in seconds, how many. Most urgent first, oldest first. */
const CLAIM: Statement = {
  name: 'outbox-claim',
  text: `
  update outbox set available_at = now() + make_interval(secs => $1), lease_token = lease_token + 1,
    attempts = attempts + 1
  where id in (
    select id from outbox where dead_at is null and available_at <= now()
    order by urgency, id limit $2 for update skip locked)
  returning id, kind, approval_id, chat_id, lease_token, attempts`,
};

const FINISH: Statement = {
  name: 'outbox-finish',
  text: `delete from outbox where id = $1 and lease_token = $2`,
};

/** Parameters: id, lease token, wait in seconds, error. */
const POSTPONE: Statement = {
  name: 'outbox-postpone',
  text: `
  update outbox set available_at = now() + make_interval(secs => $3), last_error = coalesce($4, last_error)
  where id = $1 and lease_token = $2`,
};

const BURY: Statement = {
  name: 'outbox-bury',
  text: `update outbox set dead_at = now(), last_error = $3 where id = $1 and lease_token = $2`,
};

/** Pending requests that no card and no work stands for, as when Telegram was off while they were made. */
const ENQUEUE_MISSING_CARDS: Statement = {
  name: 'outbox-enqueue-missing-cards',
  text: `
  insert into outbox (approval_id, kind, chat_id, urgency, created_at, available_at)
  select a.id, 'card', $1, 0, now(), now() from approvals a
  where a.status = 'pending' and a.expires_at > now() and not exists (
    select 1 from cards c where c.approval_id = a.id and c.chat_id = $1 and c.message_id is not null)
  on conflict (approval_id, kind) do nothing
  returning id`,
};

const OVERVIEW: Statement = {
  name: 'outbox-overview',
  text: `
  select count(*)::int as pending, min(expires_at) as next_expiry,
    (select count(*)::int from outbox where dead_at is null and available_at <= now()) as unsent
  from approvals where status = 'pending' and expires_at > now()`,
};

export interface Overview {
  /** Requests that nobody has decided yet. */
  readonly pending: number;
  readonly nextExpiry: Date | null;
  /** Messages that could be sent and are not. */
  readonly unsent: number;
}

/** Telegram work that must still happen. */
@Injectable()
export class OutboxStore {
  constructor(private readonly database: Database) {}

  async claim(limit: number, leaseSeconds: number): Promise<Work[]> {
    const rows = await this.database.query<WorkRow>(CLAIM, [leaseSeconds, limit]);
    return rows.map((row) => ({
      id: row.id,
      kind: row.kind,
      approvalId: row.approval_id,
      chatId: row.chat_id,
      leaseToken: row.lease_token,
      attempts: row.attempts,
    }));
  }

  async finish({ id, leaseToken }: Work): Promise<void> {
    await this.database.query(FINISH, [id, leaseToken]);
  }

  /** Gives the lease back; the work may be taken again after `waitMs`. */
  async postpone({ id, leaseToken }: Work, waitMs: number, error: string | null): Promise<void> {
    await this.database.query(POSTPONE, [id, leaseToken, waitMs / 1000, error]);
  }

  /** It can never be done; it stays to be seen and replayed. */
  async bury({ id, leaseToken }: Work, error: string): Promise<void> {
    await this.database.query(BURY, [id, leaseToken, error]);
  }

  async overview(): Promise<Overview> {
    const [row] = await this.database.query<{ pending: number; next_expiry: Date | null; unsent: number }>(
      OVERVIEW,
      [],
    );
    return { pending: row?.pending ?? 0, nextExpiry: row?.next_expiry ?? null, unsent: row?.unsent ?? 0 };
  }

  /** @returns how many cards were enqueued. */
  async enqueueMissingCards(chatId: string): Promise<number> {
    return (await this.database.query(ENQUEUE_MISSING_CARDS, [chatId])).length;
  }
}
