import { Query, QueryBus, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Approval } from '../approval';
import { SettlementFeed } from '../settlement-feed';
import { GetApprovalQuery, type Viewer } from './get-approval';

/**
 * The approval as soon as it settles, or as it stands when the time is up, the caller hung up or the service
 * stops. Rejects with `approval.not-found`.
 */
export class AwaitSettlementQuery extends Query<Approval> {
  constructor(
    readonly id: string,
    readonly viewer: Viewer,
    readonly waitMs: number,
    readonly signal: AbortSignal,
  ) {
    super();
  }
}

@QueryHandler(AwaitSettlementQuery)
export class AwaitSettlementHandler implements IQueryHandler<AwaitSettlementQuery> {
  constructor(
    private readonly queries: QueryBus,
    private readonly feed: SettlementFeed,
  ) {}

  async execute({ id, viewer, waitMs, signal }: AwaitSettlementQuery): Promise<Approval> {
    // Registered before the first read, so that nothing can settle unseen in between.
    const waiter = this.feed.register(id);
    try {
      const seen = await this.queries.execute(new GetApprovalQuery(id, viewer));
      if (seen.approval.status !== 'pending') return seen.approval;
      return (await waiter.settled({ waitMs, seen, signal })) ?? seen.approval;
    } finally {
      waiter.release();
    }
  }
}
