import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database/database';

/**
 * Parameters: days, limit, the id to go on after. Ids begin with the time of creation, and what settled long ago was
 * made before that: the primary key finds the oldest, and settling needs no index of its own. Whoever is about to
 * change one of them keeps it for now.
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
  ), pieces_removed as (
    delete from card_pieces using old where approval_id = old.id
  ), receipts_removed as (
    delete from receipts using old where approval_id = old.id
  ), work_removed as (
    delete from outbox using old where approval_id = old.id
  )
  select count(*)::int as removed, (array_agg(id order by id desc))[1] as last_id from old`,
};

/** Parameters: days. Dead letters that are about no approval, but about a chat. */
const REMOVE_DEAD_LETTERS: Statement = {
  name: 'retention-remove-dead-letters',
  text: `
  delete from outbox where approval_id is null and dead_at < now() - make_interval(days => $1)`,
};

/** Parameters: days. Of the audit log only its owner removes: what lies before one exported checkpoint, a call each. */
const PRUNE_AUDIT: Statement = {
  name: 'retention-prune-audit',
  text: `select removed::int, up_to is not null as more from audit_prune(now() - make_interval(days => $1))`,
};

export interface Removed {
  readonly count: number;
  /** Of the last that was removed; null when there was none. */
  readonly lastId: string | null;
}

/** What is kept no longer. */
@Injectable()
export class RetentionStore {
  constructor(private readonly database: Database) {}

  /** Removes up to `limit` approvals settled more than `days` ago, the oldest after `afterId`, with all they left. */
  async remove(days: number, limit: number, afterId: string): Promise<Removed> {
    const [row] = await this.database.query<{ removed: number; last_id: string | null }>(REMOVE, [
      days,
      limit,
      afterId,
    ]);
    return { count: row?.removed ?? 0, lastId: row?.last_id ?? null };
  }

  /** Removes audit rows older than `days` up to the oldest exported checkpoint; `more`: there may be another. */
  async pruneAudit(days: number): Promise<{ readonly removed: number; readonly more: boolean }> {
    const [row] = await this.database.query<{ removed: number; more: boolean }>(PRUNE_AUDIT, [days]);
    return row ?? { removed: 0, more: false };
  }

  async removeDeadLetters(days: number): Promise<void> {
    await this.database.query(REMOVE_DEAD_LETTERS, [days]);
  }
}
