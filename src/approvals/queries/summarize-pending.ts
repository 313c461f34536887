import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { ApprovalStore, type PendingSummary } from '../approval-store';
import type { Reader } from '../../kernel/viewer';

/** Counts the requests that can still be decided, and finds the first expiry among them. */
export class SummarizePendingQuery extends Query<PendingSummary> {
  /** @param reader only those that this person sees; null: all */
  constructor(readonly reader: Reader | null = null) {
    super();
  }
}

@QueryHandler(SummarizePendingQuery)
export class SummarizePendingHandler implements IQueryHandler<SummarizePendingQuery> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ reader }: SummarizePendingQuery): Promise<PendingSummary> {
    return this.store.summarizePending(reader);
  }
}
