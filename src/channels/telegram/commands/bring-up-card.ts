import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CardStore } from '../card-store';
import { OutboxStore } from '../../../outbox/outbox-store';
import type { ChatLane } from '../lane';

/** The messages that show the approval; if empty, its card is sent next. */
export type BroughtUp = readonly (ChatLane & { readonly messageId: string })[];

/** An operator wants to see one request of the list now. */
export class BringUpCardCommand extends Command<BroughtUp> {
  constructor(readonly approvalId: string) {
    super();
  }
}

@CommandHandler(BringUpCardCommand)
export class BringUpCardHandler implements ICommandHandler<BringUpCardCommand> {
  constructor(
    private readonly cards: CardStore,
    private readonly outbox: OutboxStore,
  ) {}

  async execute({ approvalId }: BringUpCardCommand): Promise<BroughtUp> {
    const delivered = await this.cards.delivered(approvalId);
    await this.outbox.hurry(approvalId);
    return delivered;
  }
}
