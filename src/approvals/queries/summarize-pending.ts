import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { ApprovalStore, type PendingSummary } from '../approval-store';

/** Counts the requests that can still be decided, and finds the first expiry among them. */
export class SummarizePendingQuery extends Query<PendingSummary> {}

@QueryHandler(SummarizePendingQuery)
export class SummarizePendingHandler implements IQueryHandler<SummarizePendingQuery> {
  constructor(private readonly store: ApprovalStore) {}

  execute(): Promise<PendingSummary> {
    return this.store.summarizePending();
  }
}
