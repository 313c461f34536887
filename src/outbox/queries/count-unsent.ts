import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { OutboxStore } from '../outbox-store';

/** Counts the messages that are due and not sent. */
export class CountUnsentQuery extends Query<number> {}

@QueryHandler(CountUnsentQuery)
export class CountUnsentHandler implements IQueryHandler<CountUnsentQuery> {
  constructor(private readonly outbox: OutboxStore) {}

  execute(): Promise<number> {
    return this.outbox.countUnsent();
  }
}
