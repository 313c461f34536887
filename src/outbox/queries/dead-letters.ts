import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { OutboxStore, type DeadLetter } from '../outbox-store';

/** More than a person reads; further ones have the same causes. */
const MOST = 100;

/** Messages that cannot be sent as they are, newest first. */
export class DeadLettersQuery extends Query<readonly DeadLetter[]> {}

@QueryHandler(DeadLettersQuery)
export class DeadLettersHandler implements IQueryHandler<DeadLettersQuery> {
  constructor(private readonly outbox: OutboxStore) {}

  execute(): Promise<readonly DeadLetter[]> {
    return this.outbox.deadLetters(MOST);
  }
}
