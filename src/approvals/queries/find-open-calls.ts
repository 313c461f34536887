import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Approval } from '../approval';
import { ApprovalStore, type OpenCallFilter } from '../approval-store';

/**
 * Requests of one agent session that a connector asked for and of which the agent may still report something: those
 * that are pending, and with a call those that were approved without a report. The oldest first, a page of
 * them, and without receipts.
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
