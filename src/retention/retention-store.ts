import { Injectable } from '@nestjs/common';
import { STREAM_CURSOR } from '../audit/stream/stream-cursor';
import { Database, type Statement } from '../database/database';

/**
 * Parameters: days, limit, the id to continue after. Ids begin with the time of creation, which is before the
 * settlement: the primary key finds the oldest rows, and settling needs no index of its own. Skips rows that another
 * transaction is changing.
 */
const REMOVE: Statement = {
  name: 'retention-remove',
  text: `
  with old as (
    select id from approvals
    where id > $3::uuid
      and id < (lpad(to_hex((extract(epoch from now() - make_interval(days => $1)) * 1000)::bigint), 12, '0')
        || repeat('0', 20))::uuid
      and status <> 'pending' and settled_at < now() - make_interval(days => $1)
    order by id limit $2 for update skip locked
  ), removed as (
    delete from approvals using old where approvals.id = old.id
  ), cards_removed as (
    delete from cards using old where approval_id = old.id
  ), turns_removed as (
    delete from turns using old where approval_id = old.id
  ), pieces_removed as (
    delete from card_pieces using old where approval_id = old.id
  ), replies_removed as (
    delete from card_replies using old where approval_id = old.id
  ), receipts_removed as (
    delete from receipts using old where approval_id = old.id
  ), decisions_removed as (
    delete from decisions using old where approval_id = old.id
  ), words_removed as (
    delete from approval_words using old where approval_words.id = old.id
  ), work_removed as (
    delete from outbox using old where approval_id = old.id
  )
  select count(*)::int as removed, (array_agg(id order by id desc))[1] as last_id from old`,
};

/** Parameters: days. Dead letters about a chat, without an approval. */
const REMOVE_DEAD_LETTERS: Statement = {
  name: 'retention-remove-dead-letters',
  text: `
  delete from outbox where approval_id is null and dead_at < now() - make_interval(days => $1)`,
};

/** Parameters: days. */
const REMOVE_GRANTS: Statement = {
  name: 'retention-remove-grants',
  text: `delete from grants where expires_at < now() - make_interval(days => $1)`,
};

/**
 * Parameters: days, whether rows must be streamed first. Only the owner of the audit log may remove rows: up to one exported
 * checkpoint in each call. `held`: rows up to it were not streamed yet, so all stay.
 */
const PRUNE_AUDIT: Statement = {
  name: 'retention-prune-audit',
  text: `
  with stream as (${STREAM_CURSOR}), held as (
    select $2::boolean and exists (
      select from stream, (
        select c.number from audit_checkpoints c join audit_seals s on s.number = c.number and s.hash = c.hash
        order by c.number limit 1
      ) as next where next.number > stream.cursor
    ) and (select at from audit_log order by seq limit 1) < now() - make_interval(days => $1) as held
  )
  select coalesce(removed, 0)::int as removed, up_to is not null as more, held
  from held left join lateral audit_prune(case when not held then now() - make_interval(days => $1) end) on true`,
};

/** Parameters: days. Numbers of the plots, by the hour. */
const REMOVE_HOURS: Statement = {
  name: 'retention-remove-hours',
  text: `
  delete from insight_hours
  where dimension in ('all', 'tool', 'agent', 'person', 'rule') and hour < now() - make_interval(days => $1)`,
};

export interface Removed {
  readonly count: number;
  /** Id of the last removed approval; null when there was none. */
  readonly lastId: string | null;
}

export interface PrunedAudit {
  readonly removed: number;
  readonly more: boolean;
  /** True if old rows stay because they were not streamed yet. */
  readonly held: boolean;
}

/** Removes rows beyond their retention. */
@Injectable()
export class RetentionStore {
  constructor(private readonly database: Database) {}

  /**
   * Removes up to `limit` approvals settled more than `days` ago, the oldest after `afterId`, with all dependent rows.
   */
  async remove(days: number, limit: number, afterId: string): Promise<Removed> {
    const [row] = await this.database.query<{ removed: number; last_id: string | null }>(REMOVE, [
      days,
      limit,
      afterId,
    ]);
    return { count: row?.removed ?? 0, lastId: row?.last_id ?? null };
  }

  /** Removes audit rows older than `days` up to the oldest exported checkpoint; `more`: call again. */
  async pruneAudit(days: number, streamedOnly: boolean): Promise<PrunedAudit> {
    const [row] = await this.database.query<PrunedAudit & Record<string, unknown>>(PRUNE_AUDIT, [
      days,
      streamedOnly,
    ]);
    return row ?? { removed: 0, more: false, held: false };
  }

  async removeDeadLetters(days: number): Promise<void> {
    await this.database.query(REMOVE_DEAD_LETTERS, [days]);
  }

  async removeHours(days: number): Promise<void> {
    await this.database.query(REMOVE_HOURS, [days]);
  }

  async removeGrants(days: number): Promise<void> {
    await this.database.query(REMOVE_GRANTS, [days]);
  }
}
