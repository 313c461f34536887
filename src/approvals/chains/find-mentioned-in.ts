import { Query, QueryBus, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { FindMentionedQuery } from '../../policy/on-call/find-mentioned';
import { ChainStore } from './chain-store';

/** Names of the people whom the card of a request notifies in a lane: those of the newest step that asks there. */
export class FindMentionedInQuery extends Query<string[]> {
  constructor(
    readonly approvalId: string,
    readonly lane: string,
  ) {
    super();
  }
}

@QueryHandler(FindMentionedInQuery)
export class FindMentionedInHandler implements IQueryHandler<FindMentionedInQuery> {
  constructor(
    private readonly store: ChainStore,
    private readonly queries: QueryBus,
  ) {}

  async execute({ approvalId, lane }: FindMentionedInQuery): Promise<string[]> {
    const names = await this.store.mentions(approvalId, lane);
    return names.length === 0 ? [] : this.queries.execute(new FindMentionedQuery(names));
  }
}
