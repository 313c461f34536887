import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import {
  completedBy,
  decide,
  withDecision,
  type DecidedApproval,
  type PendingApproval,
  type Verdict,
} from '../approval';
import type { Person } from '../../kernel/actor';
import { DecisionCounted, ApprovalSettled } from '../approval-events';
import type { SignedDecision } from '../../kernel/passkey-statement';
import type { Answers } from '../../kernel/questions';
import { ApprovalStore, type Snapshot } from '../approval-store';
import { decideCounted, explainRefusal, findDecidable, shownTo } from './decidable';
import { Receipts } from '../../receipts/receipts';
import { RateLimits } from '../../access/rate-limits';
import { SettlementFeed } from '../settlement-feed';
import { judge } from './late-attempt';

/**
 * Applies an operator's verdict. Authorise the operator before sending it.
 *
 * Answers with the settled approval or, where more people must decide, with the pending one and its decisions.
 *
 * Rejects with AlreadySettled, Expired, NotDecidable, InvalidInput, RateLimited, or DomainError `approval.not-found`,
 * `receipt.unavailable`; with `access.same-owner` when the operator's key and the one that asked belong to the same
 * owner; with `quorum.not-eligible` when the policy lets other people decide; with `reason.required`; and with
 * `passkey.required` when the policy lets nobody approve without a passkey.
 */
export class DecideApprovalCommand extends Command<DecidedApproval | PendingApproval> {
  constructor(
    readonly id: string,
    readonly by: Person,
    readonly verdict: Verdict,
    readonly reason: string | null,
    /** Digest of the card or page that the person saw; null: of the card in the chat, if there is one. */
    readonly displayDigest: string | null = null,
    /** Answers to the questions of the request, which approve it. */
    readonly answers: Answers | null = null,
    /** The verified signature of the person's passkey over exactly this decision. */
    readonly signed: SignedDecision | null = null,
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

  execute(command: DecideApprovalCommand): Promise<DecidedApproval | PendingApproval> {
    return decideCounted(this.limits, command.by, async () =>
      this.decideAs(await findDecidable(command.id, this), command),
    );
  }

  /** @returns null if the request has changed since it was seen, or that was too long ago: it must be read again. */
  private async decideAs(
    seen: Snapshot,
    command: DecideApprovalCommand,
  ): Promise<DecidedApproval | PendingApproval | null> {
    const { id, by, verdict, reason, displayDigest: saw, answers, signed } = command;
    const unsigned = await judge(
      () => decide(seen.approval, by, verdict, reason, seen.now, answers),
      { id, by, attempt: verdict },
      { store: this.store, limits: this.limits },
    );
    if (unsigned === seen.approval) return unsigned; // The same verdict by the same operator, again.
    const shown = shownTo(saw, seen);
    const others = completedBy(seen.approval, by, verdict);
    if (others === null) return this.count(seen, command, shown.digest);
    const complete = withDecision(unsigned, shown.digest, signed);
    const counted = [...others, ...complete.decisions.slice(-1)];
    const receipt = await this.receipts.sign({
      approval: {
        ...complete,
        ...(seen.approval.required && { counted }),
        signed: counted.flatMap((each) => each.signed ?? []),
      },
      displayDigest: shown.digest,
    });
    const decided = { ...complete, receipt };
    if (await this.store.settle(decided, shown, others)) {
      // Waiters are answered first; log, metrics and the operator's own answer come after.
      this.feed.answer(decided);
      this.events.publish(new ApprovalSettled(decided));
      return decided;
    }
    return this.explain(seen, command, shown.digest);
  }

  /** Records the decision; more people must decide. */
  private async count(
    seen: Snapshot,
    command: DecideApprovalCommand,
    displayDigest: string | null,
  ): Promise<DecidedApproval | PendingApproval | null> {
    const { id, by, verdict, reason, signed } = command;
    if (!(await this.store.count(id, by, verdict, { reason, displayDigest, signed })))
      return this.explain(seen, command, displayDigest);
    this.events.publish(new DecisionCounted(id, verdict, by));
    return this.pending(id);
  }

  private async explain(
    seen: Snapshot,
    command: DecideApprovalCommand,
    displayDigest: string | null,
  ): Promise<PendingApproval | null> {
    const { id, by, verdict, reason, signed } = command;
    if ((await explainRefusal(seen, command, this.store)) !== 'counted') return null;
    // Counted under another account of the same person, who has a reason now.
    if (reason !== null) await this.store.count(id, by, verdict, { reason, displayDigest, signed });
    return this.pending(id);
  }

  /** @returns null if it has settled meanwhile. */
  private async pending(id: string): Promise<PendingApproval | null> {
    const { approval } = await findDecidable(id, this);
    return approval.status === 'pending' ? approval : null;
  }
}
