import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { CardStore } from '../card-store';

/** True if the message is a card of this service. */
export class IsCardQuery extends Query<boolean> {
  constructor(
    readonly chatId: string,
    readonly messageId: string,
  ) {
    super();
  }
}

@QueryHandler(IsCardQuery)
export class IsCardHandler implements IQueryHandler<IsCardQuery> {
  constructor(private readonly cards: CardStore) {}

  async execute({ chatId, messageId }: IsCardQuery): Promise<boolean> {
    return (await this.cards.findByMessage(chatId, messageId)) !== null;
  }
}
