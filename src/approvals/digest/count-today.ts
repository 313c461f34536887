import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { DecisionCounts } from '../../kernel/announcement';
import { DigestStore } from './digest-store';

/** Counts the requests that ended since midnight UTC. */
export class CountTodayQuery extends Query<DecisionCounts> {}

@QueryHandler(CountTodayQuery)
export class CountTodayHandler implements IQueryHandler<CountTodayQuery> {
  constructor(private readonly store: DigestStore) {}

  execute(): Promise<DecisionCounts> {
    return this.store.today();
  }
}
