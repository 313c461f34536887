import { Query, QueryBus, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { ActivePolicy } from '../active-policy';
import { ListOnCallQuery } from './list-on-call';

/** Names of the people for whom names stand: of a rota the one on duty, of a group its people. Each once. */
export class FindMentionedQuery extends Query<string[]> {
  constructor(readonly names: readonly string[]) {
    super();
  }
}

@QueryHandler(FindMentionedQuery)
export class FindMentionedHandler implements IQueryHandler<FindMentionedQuery> {
  constructor(
    private readonly policy: ActivePolicy,
    private readonly queries: QueryBus,
  ) {}

  async execute({ names }: FindMentionedQuery): Promise<string[]> {
    const { people, rotas } = this.policy;
    if (people === null) return [];
    const duties = names.some((name) => rotas.has(name))
      ? await this.queries.execute(new ListOnCallQuery())
      : [];
    return [
      ...new Set(
        names.flatMap((name) =>
          rotas.has(name)
            ? duties.flatMap(({ rota, person }) => (rota === name ? [person] : []))
            : people.named(name),
        ),
      ),
    ];
  }
}
