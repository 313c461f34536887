import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Person } from '../../../kernel/actor';
import { ExplainRejectionCommand } from '../../../approvals/commands/explain-rejection';
import { CardStore } from '../card-store';

/** Result of a reply to a message: not a card, or a reason that was accepted or refused. */
export type ReplyResult = 'no-card' | 'explained' | 'refused';

/** An authorised operator replied to a message. */
export class ReplyToCardCommand extends Command<ReplyResult> {
  constructor(
    readonly chatId: string,
    readonly messageId: string,
    readonly by: Person,
    readonly text: string,
  ) {
    super();
  }
}

@CommandHandler(ReplyToCardCommand)
export class ReplyToCardHandler implements ICommandHandler<ReplyToCardCommand> {
  constructor(
    private readonly cards: CardStore,
    private readonly commands: CommandBus,
  ) {}

  async execute({ chatId, messageId, by, text }: ReplyToCardCommand): Promise<ReplyResult> {
    const card = await this.cards.findByMessage(chatId, messageId);
    if (!card) return 'no-card';
    const taken = await this.commands.execute(new ExplainRejectionCommand(card.approvalId, by, text));
    return taken ? 'explained' : 'refused';
  }
}
