import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { OutboxStore, type DeadLetter } from '../outbox-store';

/** More than anybody reads; what is behind them has the same cause. */
const MOST = 100;

/** Telegram work that can never be done as it stands, newest first. */
export class DeadLettersQuery extends Query<readonly DeadLetter[]> {}

@QueryHandler(DeadLettersQuery)
export class DeadLettersHandler implements IQueryHandler<DeadLettersQuery> {
  constructor(private readonly outbox: OutboxStore) {}

  execute(): Promise<readonly DeadLetter[]> {
    return this.outbox.deadLetters(MOST);
  }
}
