import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { InsightStore, type Insight, type InsightFilter } from '../insight-store';

/** Numbers of the requests that ended in a time, for plots. */
export class ReadInsightQuery extends Query<Insight> {
  constructor(readonly filter: InsightFilter) {
    super();
  }
}

@QueryHandler(ReadInsightQuery)
export class ReadInsightHandler implements IQueryHandler<ReadInsightQuery> {
  constructor(private readonly store: InsightStore) {}

  execute({ filter }: ReadInsightQuery): Promise<Insight> {
    return this.store.read(filter);
  }
}
