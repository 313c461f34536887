import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Person } from '../../../kernel/actor';
import { ExplainRejectionCommand } from '../../../approvals/commands/explain-rejection';
import { CardReplyStore } from '../card-reply-store';
import { CardStore } from '../card-store';
import { newNonce } from '../operators/callback-data';
import { isComplete } from './tap-card';

/**
 * Result of a reply to a message: not a card, words that two buttons can send with a decision, or the reason of a rejection
 * that was accepted or refused.
 */
export type ReplyResult =
  | { readonly kind: 'no-card' | 'explained' | 'refused' }
  | { readonly kind: 'kept'; readonly nonce: string; readonly approvalId: string };

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
    private readonly replies: CardReplyStore,
    private readonly commands: CommandBus,
  ) {}

  async execute({ chatId, messageId, by, text }: ReplyToCardCommand): Promise<ReplyResult> {
    const card = await this.cards.findByMessage(chatId, messageId);
    if (!card) return { kind: 'no-card' };
    const nonce = newNonce();
    const { approvalId } = card;
    // In this order: a request that is not pending stays so.
    if (isComplete(card) && (await this.replies.keep(nonce, card, by.id, text)))
      return { kind: 'kept', nonce, approvalId };
    const taken = await this.commands.execute(new ExplainRejectionCommand(approvalId, by, text));
    return { kind: taken ? 'explained' : 'refused' };
  }
}
