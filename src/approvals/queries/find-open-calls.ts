import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Approval } from '../approval';
import { ApprovalStore, type OpenCallFilter } from '../approval-store';

/**
 * Finds requests of one agent session that came by a connector and that the agent may still report on: pending ones,
 * and with a call also approved ones without a report. Oldest first, one page, without receipts.
 */
export class FindOpenCallsQuery extends Query<readonly Approval[]> {
  constructor(readonly filter: OpenCallFilter) {
    super();
  }
}

@QueryHandler(FindOpenCallsQuery)
export class FindOpenCallsHandler implements IQueryHandler<FindOpenCallsQuery> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ filter }: FindOpenCallsQuery): Promise<readonly Approval[]> {
    return this.store.openCalls(filter);
  }
}
