import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { CardStore } from '../card-store';
import { TurnStore } from '../turn-store';

/** True if the message is a card of this service, or the summary of a turn. */
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
  constructor(
    private readonly cards: CardStore,
    private readonly turns: TurnStore,
  ) {}

  async execute({ chatId, messageId }: IsCardQuery): Promise<boolean> {
    const card = await this.cards.findByMessage(chatId, messageId);
    return card !== null || (await this.turns.findByMessage(chatId, messageId)) !== null;
  }
}
