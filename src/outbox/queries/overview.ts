import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { OutboxStore, type Overview } from '../outbox-store';

/** Numbers of requests that wait for a decision, and of messages that wait to be sent. */
export class OverviewQuery extends Query<Overview> {}

@QueryHandler(OverviewQuery)
export class OverviewHandler implements IQueryHandler<OverviewQuery> {
  constructor(private readonly outbox: OutboxStore) {}

  execute(): Promise<Overview> {
    return this.outbox.overview();
  }
}
