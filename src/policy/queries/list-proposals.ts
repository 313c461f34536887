import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { PolicyProposals, type Proposal } from '../policy-proposals';

/** Lists the documents that wait for a second person, newest first. */
export class ListProposalsQuery extends Query<Proposal[]> {
  constructor(readonly limit: number) {
    super();
  }
}

@QueryHandler(ListProposalsQuery)
export class ListProposalsHandler implements IQueryHandler<ListProposalsQuery> {
  constructor(private readonly proposals: PolicyProposals) {}

  execute({ limit }: ListProposalsQuery): Promise<Proposal[]> {
    return this.proposals.list(limit);
  }
}
