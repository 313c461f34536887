import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Approval } from '../approval';
import { ApprovalStore, type ApprovalFilter, type ApprovalsFound } from '../approval-store';

export interface ApprovalPage {
  readonly items: readonly Approval[];
  /** The id to continue before, or null at the end. */
  readonly nextBeforeId: string | null;
}

/** Lists approvals, newest first, which may be overdue or lack their receipts. */
export class ListApprovalsQuery extends Query<ApprovalsFound> {
  constructor(readonly filter: ApprovalFilter) {
    super();
  }
}

@QueryHandler(ListApprovalsQuery)
export class ListApprovalsHandler implements IQueryHandler<ListApprovalsQuery> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ filter }: ListApprovalsQuery): Promise<ApprovalsFound> {
    return this.store.list(filter);
  }
}
