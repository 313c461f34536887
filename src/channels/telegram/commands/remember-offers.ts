import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CardStore } from '../card-store';

/** Remembers a message that offers grants from a card. Its result is false if the card shows the outcome already. */
export class RememberOffersCommand extends Command<boolean> {
  constructor(
    readonly nonce: string,
    readonly messageId: string,
  ) {
    super();
  }
}

@CommandHandler(RememberOffersCommand)
export class RememberOffersHandler implements ICommandHandler<RememberOffersCommand> {
  constructor(private readonly cards: CardStore) {}

  execute({ nonce, messageId }: RememberOffersCommand): Promise<boolean> {
    return this.cards.offered(nonce, messageId);
  }
}
