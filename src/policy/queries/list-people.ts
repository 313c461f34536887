import { Query, QueryBus, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { PeopleStore, type NamedPerson } from '../../people/people-store';
import { ListOnCallQuery } from '../on-call/list-on-call';

export interface PersonOnDuty extends NamedPerson {
  /** The rotas by which they are on duty now. */
  readonly onDuty: readonly string[];
}

/** Lists the people of the active version; empty: it names nobody. */
export class ListPeopleQuery extends Query<PersonOnDuty[]> {}

@QueryHandler(ListPeopleQuery)
export class ListPeopleHandler implements IQueryHandler<ListPeopleQuery> {
  constructor(
    private readonly store: PeopleStore,
    private readonly queries: QueryBus,
  ) {}

  async execute(): Promise<PersonOnDuty[]> {
    const [people, duties] = await Promise.all([
      this.store.list(),
      this.queries.execute(new ListOnCallQuery()),
    ]);
    return people.map((each) => ({
      ...each,
      onDuty: duties.flatMap(({ rota, person }) => (person === each.name ? [rota] : [])),
    }));
  }
}
