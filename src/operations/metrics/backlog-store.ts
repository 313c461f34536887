import { Injectable } from '@nestjs/common';
import { STREAM_CURSOR } from '../../audit/stream/stream-cursor';
import { UNREACHABLE } from '../../approvals/approval-statements';
import { Database, type Statement } from '../../database/database';

/** Waiting work of all replicas. */
export interface BacklogCounts {
  /** Undecided approvals, including overdue ones that no sweep has ended yet. */
  readonly pending: number;
  /** Age of the oldest of them; 0 without any. */
  readonly oldestPendingSeconds: number;
  /** Undecided approvals of which no step of the chain reaches anybody, and that no message shows. */
  readonly unreachable: number;
  /** Due Telegram work, including leased work and work that waits for a retry. */
  readonly outboxDue: number;
  /** Telegram work that is not due yet. */
  readonly outboxScheduled: number;
  /** Telegram work that was given up and waits for a person. */
  readonly outboxDead: number;
  /** Age of the oldest card or outcome that is not in the chat yet; 0 without any. */
  readonly outboxOldestSeconds: number;
  /** Rows of the audit log that have no seal yet. */
  readonly auditUnsealed: number;
  /** Age of the oldest of them; 0 without any. */
  readonly auditSealLagSeconds: number;
  /** Sealed rows of the audit log that `AUDIT_STREAM` has not taken. */
  readonly auditStreamLagRows: number;
  /** Age of the oldest of them; 0 without any. */
  readonly auditStreamLagSeconds: number;
}

/** Rows that committed out of order by more than this were sealed or detected by the sealer's own scans. */
const AUDIT_WINDOW = 10_000;

/**
 * All counts read live work only: the partial index of pending approvals, the outbox, whose finished rows are deleted,
 * and the end of the audit log. Work that is not due yet was never leased and lies in the future (mostly warnings).
 */
export const COUNT: Statement = {
  name: 'metrics-backlog',
  text: `
  select pending, "oldestPendingSeconds", unreachable, "outboxDue", "outboxScheduled", "outboxDead", "outboxOldestSeconds",
    "auditUnsealed", "auditSealLagSeconds", "auditStreamLagRows", "auditStreamLagSeconds"
  from (
    select count(*)::int as pending,
      coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as "oldestPendingSeconds",
      count(*) filter (where ${UNREACHABLE})::int as unreachable
    from approvals where status = 'pending'
  ) as waiting, (
    select
      count(*) filter (where not dead and not later)::int as "outboxDue",
      count(*) filter (where not dead and later)::int as "outboxScheduled",
      count(*) filter (where dead)::int as "outboxDead",
      coalesce(extract(epoch from now() - min(created_at)
        filter (where not dead and not later and kind <> 'warning')), 0)::float8 as "outboxOldestSeconds"
    from (
      select kind, created_at, dead_at is not null as dead, attempts = 0 and available_at > now() as later
      from outbox where kind <> 'step'
    ) as work
  ) as outbox, (
    select count(*)::int as "auditUnsealed",
      coalesce(extract(epoch from now() - min(at)), 0)::float8 as "auditSealLagSeconds"
    from (
      select at from audit_log where seq > (select coalesce(max(seq), 0) from audit_seals)
      union all
      select at from (
        select seq, at from audit_log where seq <= (select max(seq) from audit_seals) order by seq desc limit ${AUDIT_WINDOW}
      ) as recent
      where not exists (
        select from (select seq from audit_seals order by seq desc limit ${AUDIT_WINDOW}) as seals where seals.seq = recent.seq)
    ) as unsealed
  ) as audit, lateral (
    select greatest(coalesce((select max(number) from audit_seals), 0) - cursor, 0)::int as "auditStreamLagRows",
      coalesce((
        select extract(epoch from now() - (select at from audit_log where seq = next.seq))
        from (select seq from audit_seals where number > cursor order by number limit 1) as next
      ), 0)::float8 as "auditStreamLagSeconds"
    from (${STREAM_CURSOR}) as stream
  ) as streamed`,
};

@Injectable()
export class BacklogStore {
  constructor(private readonly database: Database) {}

  /** @throws DomainError `database.unavailable`. */
  async count(): Promise<BacklogCounts> {
    const [row] = await this.database.query<BacklogCounts & Record<string, number>>(COUNT, []);
    if (!row) throw new Error('counting the backlog returned no row');
    return row;
  }
}
