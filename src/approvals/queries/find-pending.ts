import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { ApprovalStore, type PendingMark } from '../approval-store';

/** Finds the requests that can still be decided; those that end first come first. If there are more, an equal part of each key. */
export class FindPendingQuery extends Query<PendingMark[]> {
  constructor(readonly limit: number) {
    super();
  }
}

@QueryHandler(FindPendingQuery)
export class FindPendingHandler implements IQueryHandler<FindPendingQuery> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ limit }: FindPendingQuery): Promise<PendingMark[]> {
    return this.store.pending(limit);
  }
}
