import { Command, CommandBus, CommandHandler, QueryBus, type ICommandHandler } from '@nestjs/cqrs';
import type { DecidedApproval } from '../../../approvals/approval';
import { MakeGrantCommand, type MadeGrant } from '../../../approvals/commands/make-grant';
import { MakeLateGrantCommand } from '../../../approvals/commands/make-late-grant';
import { FindGrantOffersQuery, type GrantOffer } from '../../../approvals/queries/find-grant-offers';
import type { Person } from '../../../kernel/actor';
import { DomainError } from '../../../kernel/errors';
import { RevokeGrantCommand } from '../../../policy/grants/revoke-grant';
import { CardStore } from '../card-store';
import { GRANT_ENDS, type GrantTap } from '../operators/callback-data';
import { findComplete, refusalOf, type TapRefusal } from './tap-card';

/** Result of a tap on a button of grants. */
export type GrantResult =
  /** `nonce` and `cardMessageId`: of the card from which the grants may be made. */
  | {
      readonly kind: 'grants-offered';
      readonly offers: readonly GrantOffer[];
      readonly nonce: string;
      readonly cardMessageId: string;
    }
  /** Nothing is offered any more: a rule asks by now, or the request has ended. */
  | { readonly kind: 'grants-none' }
  | { readonly kind: 'granted'; readonly approval: DecidedApproval; readonly made: MadeGrant }
  | { readonly kind: 'granted-once'; readonly made: Omit<MadeGrant, 'approval'> }
  | { readonly kind: 'revoked'; readonly id: string }
  /** It had ended before. */
  | { readonly kind: 'revoked-before' }
  | TapRefusal;

/** An authorised operator tapped a button of grants, which its own message shows. */
export class TapGrantCommand extends Command<GrantResult> {
  constructor(
    readonly tap: GrantTap,
    readonly chatId: string,
    readonly messageId: string,
    readonly by: Person,
  ) {
    super();
  }
}

@CommandHandler(TapGrantCommand)
export class TapGrantHandler implements ICommandHandler<TapGrantCommand> {
  constructor(
    private readonly cards: CardStore,
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  execute({ tap, chatId, messageId, by }: TapGrantCommand): Promise<GrantResult> {
    return tap.kind === 'revoke' ? this.revoke(tap.id, by) : this.answerCard(tap, { chatId, messageId }, by);
  }

  private async answerCard(
    tap: Exclude<GrantTap, { kind: 'revoke' }>,
    { chatId, messageId }: { readonly chatId: string; readonly messageId: string },
    by: Person,
  ): Promise<GrantResult> {
    const card = await findComplete(this.cards, tap.nonce, chatId);
    if (!card) return { kind: 'unknown-button' };
    if (tap.kind === 'offers') {
      const offers = await this.queries.execute(new FindGrantOffersQuery(card.approvalId, 'everything'));
      const { nonce } = card;
      return offers.length === 0
        ? { kind: 'grants-none' }
        : { kind: 'grants-offered', offers, nonce, cardMessageId: card.messageId };
    }
    try {
      if (tap.kind === 'once') {
        const late = await this.commands.execute(new MakeLateGrantCommand(card.approvalId, by));
        return { kind: 'granted-once', made: late };
      }
      await this.cards.takeOffers(tap.nonce, messageId);
      const { seconds, uses } = GRANT_ENDS[tap.end];
      const command = new MakeGrantCommand(
        card.approvalId,
        tap.offer,
        { seconds, uses, inDirectory: false },
        by,
        card.displayDigest,
      );
      const made = await this.commands.execute(command);
      return { kind: 'granted', approval: made.approval, made };
    } catch (error) {
      if (error instanceof DomainError && error.code === 'grant.not-permitted')
        return { kind: 'grants-none' };
      const refusal = refusalOf(error);
      if (refusal.kind === 'too-many') await this.cards.offered(tap.nonce, messageId);
      return refusal;
    }
  }

  private async revoke(id: string, by: Person): Promise<GrantResult> {
    try {
      await this.commands.execute(new RevokeGrantCommand(id, by));
      return { kind: 'revoked', id };
    } catch (error) {
      if (error instanceof DomainError && error.code === 'grant.not-found') return { kind: 'revoked-before' };
      throw error;
    }
  }
}
