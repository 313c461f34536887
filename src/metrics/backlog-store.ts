import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database/database';

/** What waits, over all replicas. */
export interface BacklogCounts {
  /** Approvals nobody has decided; the overdue ones that no sweep has ended yet are among them. */
  readonly pending: number;
  /** Since the creation of the oldest of them; 0 without any. */
  readonly oldestPendingSeconds: number;
  /** Telegram work that is due: leased work and work that waits for a retry included. */
  readonly outboxDue: number;
  /** Telegram work whose time has not come. */
  readonly outboxScheduled: number;
  /** Telegram work that was given up and waits for a person. */
  readonly outboxDead: number;
  /** Since the oldest card or outcome that is not in the chat yet came to be; 0 without any. */
  readonly outboxOldestSeconds: number;
  /** Rows of the audit log that have no seal yet. */
  readonly auditUnsealed: number;
  /** Since the oldest of them was written; 0 without any. */
  readonly auditSealLagSeconds: number;
}

/** Rows committed out of order by more than this have been sealed or noticed by the sealer's own looks. */
const AUDIT_WINDOW = 10_000;

/**
 * All counts read live work only: the partial index of pending approvals, the outbox, whose finished rows are
 * deleted, and the end of the audit log. Work whose time has not come was never leased and lies in the future (warnings, mostly).
 */
export const COUNT: Statement = {
  name: 'metrics-backlog',
  text: `
  select pending, "oldestPendingSeconds", "outboxDue", "outboxScheduled", "outboxDead", "outboxOldestSeconds",
    "auditUnsealed", "auditSealLagSeconds"
  from (
    select count(*)::int as pending,
      coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as "oldestPendingSeconds"
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
      from outbox
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
  ) as audit`,
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
