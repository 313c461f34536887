import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Person } from '../../../kernel/actor';
import { ExplainRejectionCommand } from '../../../approvals/commands/explain-rejection';
import { CardReplyStore } from '../card-reply-store';
import { CardStore } from '../card-store';
import { TurnStore } from '../turn-store';
import { newNonce } from '../operators/callback-data';
import { isComplete } from './tap-card';

/**
 * Result of a reply to a message: neither a card nor a summary, words that two buttons can send with a decision, or the reason of a rejection
 * that was accepted or refused.
 */
export type ReplyResult =
  | { readonly kind: 'no-card' | 'explained' | 'refused' }
  | { readonly kind: 'kept'; readonly nonce: string; readonly approvalId: string };

type ReplyTo = Pick<ReplyToCardCommand, 'chatId' | 'messageId' | 'by' | 'text'>;

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
    private readonly turns: TurnStore,
    private readonly commands: CommandBus,
  ) {}

  async execute({ chatId, messageId, by, text }: ReplyToCardCommand): Promise<ReplyResult> {
    const card = await this.cards.findByMessage(chatId, messageId);
    if (!card) return { kind: await this.explainTurn({ chatId, messageId, by, text }) };
    const nonce = newNonce();
    const { approvalId } = card;
    // In this order: a request that is not pending stays so.
    if (isComplete(card) && (await this.replies.keep(nonce, card, by.id, text)))
      return { kind: 'kept', nonce, approvalId };
    return { kind: (await this.explain([approvalId], by, text)) ? 'explained' : 'refused' };
  }

  /** A reply to the summary of a turn explains each of its calls that the person rejected. */
  private async explainTurn({
    chatId,
    messageId,
    by,
    text,
  }: ReplyTo): Promise<'no-card' | 'explained' | 'refused'> {
    const turn = await this.turns.findByMessage(chatId, messageId);
    if (!turn) return 'no-card';
    const ids = (await this.turns.calls(turn.id)).map(({ approvalId }) => approvalId);
    return (await this.explain(ids, by, text)) ? 'explained' : 'refused';
  }

  /** @returns true if one of them took the reason */
  private async explain(ids: readonly string[], by: Person, text: string): Promise<boolean> {
    const taken: boolean[] = [];
    for (const id of ids) taken.push(await this.commands.execute(new ExplainRejectionCommand(id, by, text)));
    return taken.includes(true);
  }
}
