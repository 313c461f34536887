import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { ApprovalRequest, EarlierRequest } from '../approval';
import { ApprovalStore } from '../approval-store';
import type { Reader } from '../../kernel/viewer';

/** Finds the last requests of a request's session that were made before it with the same key: the newest first. */
export class FindEarlierRequestsQuery extends Query<EarlierRequest[]> {
  /** @param reader only those that this person sees; null: all */
  constructor(
    readonly request: Pick<ApprovalRequest, 'id' | 'keyId' | 'sessionId'>,
    readonly reader: Reader | null,
  ) {
    super();
  }
}

@QueryHandler(FindEarlierRequestsQuery)
export class FindEarlierRequestsHandler implements IQueryHandler<FindEarlierRequestsQuery> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ request, reader }: FindEarlierRequestsQuery): Promise<EarlierRequest[]> {
    return this.store.earlierInSession(request, reader);
  }
}
