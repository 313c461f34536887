import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  AlreadySettled,
  Expired,
  NotDecidable,
  type Actor,
  type Approval,
  type DecidedApproval,
} from '../../approvals/approval';
import { DecideApprovalCommand } from '../../approvals/commands/decide-approval';
import { RateLimited } from '../../kernel/errors';
import { parseCallbackData } from '../callback-data';
import { CardStore } from '../card-store';

/** What a tap came to; the operator is told. */
export type TapResult =
  | { readonly kind: 'decided'; readonly approval: DecidedApproval }
  /** Somebody, or time, was faster; `approval` is the true state. */
  | { readonly kind: 'too-late'; readonly approval: Approval }
  /** The operator decides faster than one person may. */
  | { readonly kind: 'too-many'; readonly retryAfterSeconds: number }
  /** The button was offered by an earlier version; the verdict would reach nobody. */
  | { readonly kind: 'not-decidable' }
  /** No button of ours, or not where we put it. */
  | { readonly kind: 'unknown-button' };

/** An authorised operator tapped a button of a message. */
export class TapCardCommand extends Command<TapResult> {
  constructor(
    readonly callbackData: string,
    readonly chatId: string,
    readonly messageId: string,
    readonly by: Actor,
  ) {
    super();
  }
}

@CommandHandler(TapCardCommand)
export class TapCardHandler implements ICommandHandler<TapCardCommand> {
  constructor(
    private readonly cards: CardStore,
    private readonly commands: CommandBus,
  ) {}

  async execute({ callbackData, chatId, messageId, by }: TapCardCommand): Promise<TapResult> {
    const tap = parseCallbackData(callbackData);
    const card = tap && (await this.cards.findByNonce(tap.nonce));
    if (!tap || card?.chatId !== chatId || (card.messageId ?? messageId) !== messageId)
      return { kind: 'unknown-button' };
    // Made from Reject by whoever sees its data: there was no Approve before the action was there to be read.
    const incomplete = card.incompleteDigest !== null && card.document === null && card.pieces === null;
    if (tap.verdict === 'approved' && incomplete) return { kind: 'unknown-button' };
    if (card.messageId === null) await this.cards.adopt(card, messageId);
    try {
      const digest = tap.complete ? card.displayDigest : card.incompleteDigest;
      const command = new DecideApprovalCommand(card.approvalId, by, tap.verdict, null, digest);
      return { kind: 'decided', approval: await this.commands.execute(command) };
    } catch (error) {
      if (error instanceof AlreadySettled || error instanceof Expired)
        return { kind: 'too-late', approval: error.approval };
      if (error instanceof NotDecidable) return { kind: 'not-decidable' };
      if (error instanceof RateLimited)
        return { kind: 'too-many', retryAfterSeconds: error.retryAfterSeconds };
      throw error;
    }
  }
}
