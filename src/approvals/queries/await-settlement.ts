import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Approval } from '../approval';
import { SettlementFeed, type Waiter } from '../settlement-feed';
import { FinishedApprovals } from '../finished-approvals';
import type { Viewer } from './viewer';

/**
 * Answers with the approval as soon as it settles; or with its current state when the time is up, the caller hung up or
 * the service stops. Rejects with `approval.not-found`.
 */
export class AwaitSettlementQuery extends Query<Approval> {
  /**
   * @param signal ends the wait
   * @param gone drops the read before the wait, as in {@link FinishedApprovals.get}; null: the answer is needed in any case
   */
  constructor(
    readonly id: string,
    readonly viewer: Viewer,
    readonly waitMs: number,
    readonly signal: AbortSignal,
    readonly gone: AbortSignal | null = null,
  ) {
    super();
  }
}

@QueryHandler(AwaitSettlementQuery)
export class AwaitSettlementHandler implements IQueryHandler<AwaitSettlementQuery> {
  constructor(
    private readonly finished: FinishedApprovals,
    private readonly feed: SettlementFeed,
  ) {}

  async execute(query: AwaitSettlementQuery): Promise<Approval> {
    // Registered before the first read, so that no settlement is missed in between.
    const waiter = this.feed.register(query.id);
    try {
      const { answered } = await this.begin(waiter, query);
      return await answered;
    } finally {
      waiter.release();
    }
  }

  /** Separate from the wait, so that a waiting call does not keep its read in memory: the feed holds one for all. */
  private async begin(waiter: Waiter, query: AwaitSettlementQuery): Promise<{ answered: Promise<Approval> }> {
    const { id, viewer, waitMs, signal, gone } = query;
    const seen = await this.finished.get(id, viewer, gone);
    if (seen.approval.status !== 'pending') return { answered: Promise.resolve(seen.approval) };
    return { answered: waiter.settled({ waitMs, seen, signal }) };
  }
}
