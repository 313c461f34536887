import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { GrantStore, type Grant } from './grant-store';

/** The grants that may still be used, newest first. */
export class ListGrantsQuery extends Query<Grant[]> {}

@QueryHandler(ListGrantsQuery)
export class ListGrantsHandler implements IQueryHandler<ListGrantsQuery> {
  constructor(private readonly store: GrantStore) {}

  execute(): Promise<Grant[]> {
    return this.store.open();
  }
}
