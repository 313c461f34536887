import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { ApprovalStore, type NamedReader } from '../approval-store';

/** Finds the people who see a request; null: everybody whom the service lets in. */
export class FindReadersQuery extends Query<readonly NamedReader[] | null> {
  constructor(readonly id: string) {
    super();
  }
}

@QueryHandler(FindReadersQuery)
export class FindReadersHandler implements IQueryHandler<FindReadersQuery> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ id }: FindReadersQuery): Promise<readonly NamedReader[] | null> {
    return this.store.readersOf(id);
  }
}
