import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  AlreadyClaimed,
  AlreadySettled,
  Expired,
  NoMoreTime,
  NotDecidable,
  ReasonRequired,
  type Approval,
  type DecidedApproval,
  type PendingApproval,
} from '../../../approvals/approval';
import type { Person } from '../../../kernel/actor';
import { DecideApprovalCommand } from '../../../approvals/commands/decide-approval';
import { TakeBackDecisionCommand } from '../../../approvals/commands/take-back-decision';
import { DomainError, RateLimited } from '../../../kernel/errors';
import { ClaimApprovalCommand } from '../../../approvals/commands/claim-approval';
import { ExtendApprovalCommand } from '../../../approvals/commands/extend-approval';
import {
  parseCallbackData,
  parseClaimTap,
  parseTakeBackTap,
  type ClaimTap,
  type Tap,
} from '../operators/callback-data';
import { CardStore, type Card } from '../card-store';

/** One tap for more time. */
const MORE_TIME_SECONDS = 15 * 60;

/** Result of a decision, for the answer to the operator. */
export type DecisionResult =
  | { readonly kind: 'decided'; readonly approval: DecidedApproval }
  /** More people must decide. */
  | { readonly kind: 'counted'; readonly approval: PendingApproval };

/** Result of a tap on a card. */
export type TapResult =
  | DecisionResult
  /** This person has no decision any more. */
  | { readonly kind: 'taken-back'; readonly approval: PendingApproval }
  /** The person is on it, or comes back to it. */
  | { readonly kind: 'claimed' | 'snoozed' | 'extended'; readonly approval: PendingApproval }
  /** Another person is on it. */
  | { readonly kind: 'claimed-by-another'; readonly approval: PendingApproval }
  /** It may wait no longer. */
  | { readonly kind: 'no-more-time'; readonly approval: PendingApproval; readonly latest: Date }
  /** The class demands a reason: the person chooses one, or replies to the card with it. */
  | { readonly kind: 'reason-required'; readonly nonce: string; readonly cardMessageId: string }
  | TapRefusal;

/** A tap that decided nothing. */
export type TapRefusal =
  /** The approval was settled before the tap; `approval` is its current state. */
  | { readonly kind: 'too-late'; readonly approval: Approval }
  /** The policy lets other people decide this. */
  | { readonly kind: 'not-eligible' }
  /** The policy lets nobody approve this without a passkey. */
  | { readonly kind: 'needs-passkey' }
  /** The operator exceeded the rate limit. */
  | { readonly kind: 'too-many'; readonly retryAfterSeconds: number }
  /** An earlier version offered the button; the verdict would not reach the agent. */
  | { readonly kind: 'not-decidable' }
  /** Not a valid button, or not on its own message. */
  | { readonly kind: 'unknown-button' };

/** An authorised operator tapped a button of a message. */
export class TapCardCommand extends Command<TapResult> {
  constructor(
    readonly callbackData: string,
    readonly chatId: string,
    readonly messageId: string,
    /** Data of the buttons on the message; null if Telegram did not show them. */
    readonly buttons: readonly string[] | null,
    readonly by: Person,
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

  async execute(command: TapCardCommand): Promise<TapResult> {
    try {
      return await this.tap(command);
    } catch (error) {
      return refusalOf(error);
    }
  }

  private async tap({ callbackData, chatId, messageId, buttons, by }: TapCardCommand): Promise<TapResult> {
    const taken = parseTakeBackTap(callbackData);
    if (taken !== null) {
      const card = await this.cards.findByNonce(taken);
      if (card?.chatId !== chatId || card.messageId !== messageId) return { kind: 'unknown-button' };
      const approval = await this.commands.execute(new TakeBackDecisionCommand(card.approvalId, by));
      return { kind: 'taken-back', approval };
    }
    const claim = parseClaimTap(callbackData);
    if (claim !== null) {
      const card = await this.cards.findByNonce(claim.nonce);
      if (card?.chatId !== chatId || card.messageId !== messageId) return { kind: 'unknown-button' };
      return this.claim(claim, card.approvalId, by);
    }
    const tap = parseCallbackData(callbackData);
    const card = tap && (await this.cards.findByNonce(tap.nonce));
    if (!tap || card?.chatId !== chatId || (card.messageId ?? messageId) !== messageId)
      return { kind: 'unknown-button' };
    if (!mayBeOffered(tap, card, buttons?.includes(callbackData) ?? null)) return { kind: 'unknown-button' };
    if (card.messageId === null) await this.cards.adopt(card, messageId);
    const digest = tap.complete ? card.displayDigest : card.incompleteDigest;
    const command = new DecideApprovalCommand(card.approvalId, by, tap.verdict, null, digest);
    try {
      return resultOf(await this.commands.execute(command));
    } catch (error) {
      if (!(error instanceof ReasonRequired)) throw error;
      return { kind: 'reason-required', nonce: card.nonce, cardMessageId: messageId };
    }
  }

  private async claim({ kind }: ClaimTap, id: string, by: Person): Promise<TapResult> {
    try {
      switch (kind) {
        case 'claim':
          return { kind: 'claimed', approval: await this.commands.execute(new ClaimApprovalCommand(id, by)) };
        case 'snooze': {
          const command = new ClaimApprovalCommand(id, by, 'snoozed');
          return { kind: 'snoozed', approval: await this.commands.execute(command) };
        }
        case 'more-time': {
          const command = new ExtendApprovalCommand(id, by, MORE_TIME_SECONDS, true);
          return { kind: 'extended', approval: await this.commands.execute(command) };
        }
      }
    } catch (error) {
      if (error instanceof AlreadyClaimed) return { kind: 'claimed-by-another', approval: error.approval };
      if (error instanceof NoMoreTime)
        return { kind: 'no-more-time', approval: error.approval, latest: error.latest };
      throw error;
    }
  }
}

/** The result of a decision: `counted` while more people must decide. */
export function resultOf(approval: DecidedApproval | PendingApproval): DecisionResult {
  return approval.status === 'pending' ? { kind: 'counted', approval } : { kind: 'decided', approval };
}

/** @throws the error, if it does not say why the tap decided nothing */
export function refusalOf(error: unknown): TapRefusal {
  if (error instanceof AlreadySettled || error instanceof Expired)
    return { kind: 'too-late', approval: error.approval };
  if (error instanceof NotDecidable) return { kind: 'not-decidable' };
  if (error instanceof DomainError && error.code === 'quorum.not-eligible') return { kind: 'not-eligible' };
  if (error instanceof DomainError && error.code === 'passkey.required') return { kind: 'needs-passkey' };
  if (error instanceof RateLimited) return { kind: 'too-many', retryAfterSeconds: error.retryAfterSeconds };
  throw error;
}

/** The complete card whose Approve a message shows; null if it has none. */
export async function findComplete(
  cards: CardStore,
  nonce: string,
  chatId: string,
): Promise<(Card & { readonly messageId: string }) | null> {
  const card = await cards.findByNonce(nonce);
  if (card?.chatId !== chatId || card.messageId === null) return null;
  return isComplete(card) ? { ...card, messageId: card.messageId } : null;
}

/** True if the chat holds the whole action. */
export function isComplete(card: Card): boolean {
  return card.incompleteDigest === null || card.document !== null || card.pieces !== null;
}

/**
 * False for data that an operator's client made from the data of another button.
 *
 * @param isShown null if Telegram did not show the buttons of the message
 */
function mayBeOffered(tap: Tap, card: Card, isShown: boolean | null): boolean {
  // The outcome will be written on the message that the tap names.
  if (card.messageId === null) return isShown === true;
  // Telegram shows the buttons of now: the card may have been completed since the tap.
  if (!tap.complete) return card.incompleteDigest !== null;
  // The buttons of a complete card follow the whole action, which the operator reads first.
  return isComplete(card) && isShown !== false;
}
