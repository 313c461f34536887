import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { ApprovalStore, type ApprovalSearch, type ApprovalsFound } from '../approval-store';

/** Finds requests by words and facts, newest first; they may be overdue or lack their receipts. Rejects with `search.too-broad`. */
export class SearchApprovalsQuery extends Query<ApprovalsFound> {
  constructor(readonly search: ApprovalSearch) {
    super();
  }
}

@QueryHandler(SearchApprovalsQuery)
export class SearchApprovalsHandler implements IQueryHandler<SearchApprovalsQuery> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ search }: SearchApprovalsQuery): Promise<ApprovalsFound> {
    return this.store.search(search);
  }
}
