import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { ApprovalStore, type DueLook } from '../approval-store';

/** Checks whether any request became due after a moment; null: at any time. */
export class LookForDueQuery extends Query<DueLook> {
  constructor(readonly after: Date | null) {
    super();
  }
}

@QueryHandler(LookForDueQuery)
export class LookForDueHandler implements IQueryHandler<LookForDueQuery> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ after }: LookForDueQuery): Promise<DueLook> {
    return this.store.lookForDue(after);
  }
}
