import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { PolicyStore, type Activation } from '../policy-store';

/** Lists the versions that were active, newest first. */
export class ListActivationsQuery extends Query<Activation[]> {
  constructor(readonly limit: number) {
    super();
  }
}

@QueryHandler(ListActivationsQuery)
export class ListActivationsHandler implements IQueryHandler<ListActivationsQuery> {
  constructor(private readonly store: PolicyStore) {}

  execute({ limit }: ListActivationsQuery): Promise<Activation[]> {
    return this.store.history(limit);
  }
}
