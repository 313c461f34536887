import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { decide, type DecidedApproval, type Verdict } from '../approval';
import type { Answers } from '../../kernel/questions';
import type { Person } from '../../kernel/actor';
import { ApprovalSettled } from '../approval-events';
import { ApprovalStore, type Snapshot } from '../approval-store';
import { decideCounted, findDecidable, sameOwner } from './decidable';
import { Receipts } from '../../receipts/receipts';
import { RateLimits } from '../../access/rate-limits';
import { SettlementFeed } from '../settlement-feed';
import { judge } from './late-attempt';

/**
 * Applies an operator's verdict. Authorise the operator before sending it.
 *
 * Rejects with AlreadySettled, Expired, NotDecidable, InvalidInput, RateLimited, or DomainError `approval.not-found`,
 * `receipt.unavailable`; and with `access.same-owner` when the operator's key and the one that asked belong to the same
 * owner.
 */
export class DecideApprovalCommand extends Command<DecidedApproval> {
  constructor(
    readonly id: string,
    readonly by: Person,
    readonly verdict: Verdict,
    readonly reason: string | null,
    /** Digest of the card that was tapped; null: of the card in the chat, if there is one. */
    readonly displayDigest: string | null = null,
    /** Answers to the questions of the request, which approve it. */
    readonly answers: Answers | null = null,
  ) {
    super();
  }
}

@CommandHandler(DecideApprovalCommand)
export class DecideApprovalHandler implements ICommandHandler<DecideApprovalCommand> {
  constructor(
    readonly store: ApprovalStore,
    private readonly limits: RateLimits,
    private readonly feed: SettlementFeed,
    readonly receipts: Receipts,
    readonly events: EventBus,
  ) {}

  execute(command: DecideApprovalCommand): Promise<DecidedApproval> {
    return decideCounted(this.limits, command.by, async () =>
      this.decideAs(await findDecidable(command.id, this), command),
    );
  }

  /** @returns null if the request has changed since it was seen, or that was too long ago: it must be read again. */
  private async decideAs(seen: Snapshot, command: DecideApprovalCommand): Promise<DecidedApproval | null> {
    const { id, by, verdict, reason, displayDigest: tapped, answers } = command;
    const unsigned = await judge(
      () => decide(seen.approval, by, verdict, reason, seen.now, answers),
      { id, by, attempt: verdict },
      { store: this.store, limits: this.limits },
    );
    if (unsigned === seen.approval) return unsigned; // The same verdict by the same operator, again.
    const shown = { digest: tapped ?? seen.displayDigest, tapped: tapped !== null };
    const receipt = await this.receipts.sign({ approval: unsigned, displayDigest: shown.digest });
    const decided = { ...unsigned, receipt };
    if (await this.store.settle(decided, shown)) {
      // Waiters are answered first; log, metrics and the operator's own answer come after.
      this.feed.answer(decided);
      this.events.publish(new ApprovalSettled(decided));
      return decided;
    }
    if (await this.store.refuseSameOwner(id, by, verdict)) throw sameOwner();
    return null;
  }
}
