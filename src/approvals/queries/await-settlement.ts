import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { isSettled, type SettledApproval } from '../approval';
import { SettlementFeed } from '../settlement-feed';
import { FinishedApprovals } from '../finished-approvals';
import { isForGroups } from '../../kernel/requirement';
import { readerIn, type Viewer } from '../../kernel/viewer';

/**
 * Answers with the approval as soon as it settles; with null when the time is up, the caller hung up or the service
 * stops. Keeps nothing of the request in memory meanwhile. Rejects with `approval.not-found`.
 */
export class AwaitSettlementQuery extends Query<SettledApproval | null> {
  /**
   * @param signal ends the wait
   * @param gone drops the read of a settled request, as in {@link FinishedApprovals.get}; null: it is needed in any case
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

  async execute({ id, viewer, waitMs, signal, gone }: AwaitSettlementQuery): Promise<SettledApproval | null> {
    // Registered before the first read, so that no settlement is missed in between.
    const waiter = this.feed.register(id);
    try {
      const seen = await this.finished.stateOf(id, viewer);
      if (seen.status === 'pending') {
        const settled = await waiter.settled({ waitMs, seen, signal });
        // The reader may have left its groups while they waited.
        if (settled && isForGroups(settled.required) && readerIn(viewer) !== null)
          await this.finished.stateOf(id, viewer);
        return settled;
      }
    } finally {
      waiter.release();
    }
    const { approval } = await this.finished.get(id, viewer, gone);
    return isSettled(approval) ? approval : null;
  }
}
