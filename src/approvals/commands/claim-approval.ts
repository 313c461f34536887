import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { RateLimits } from '../../access/rate-limits';
import type { Person } from '../../kernel/actor';
import type { ClaimKind } from '../../kernel/claim';
import { Receipts } from '../../receipts/receipts';
import {
  AlreadyClaimed,
  AlreadySettled,
  isClaimedBy,
  isSettled,
  openClaim,
  type PendingApproval,
} from '../approval';
import { ApprovalClaimed } from '../approval-events';
import { ApprovalStore, type Snapshot } from '../approval-store';
import { decideCounted, explainRefusal, findDecidable } from './decidable';

/** A claim of a request without a chain ends after this time as well: somebody else may be on it then. */
const CLAIM_SECONDS = 300;
/** A person comes back to a snoozed request after this time. */
const SNOOZE_SECONDS = 300;

/**
 * Says that a person is on a request, or comes back to it. Decides nothing; the next step of the chain waits. Idempotent
 * while the claim of this person lasts.
 *
 * Rejects with AlreadySettled, AlreadyClaimed, RateLimited, or DomainError `approval.not-found`, `access.same-owner`,
 * `quorum.not-eligible`.
 */
export class ClaimApprovalCommand extends Command<PendingApproval> {
  constructor(
    readonly id: string,
    readonly by: Person,
    readonly kind: ClaimKind = 'claimed',
  ) {
    super();
  }
}

@CommandHandler(ClaimApprovalCommand)
export class ClaimApprovalHandler implements ICommandHandler<ClaimApprovalCommand> {
  constructor(
    readonly store: ApprovalStore,
    readonly limits: RateLimits,
    readonly receipts: Receipts,
    readonly events: EventBus,
  ) {}

  execute({ id, by, kind }: ClaimApprovalCommand): Promise<PendingApproval> {
    return decideCounted(this.limits, by, async () => {
      const seen = await findDecidable(id, this);
      const { approval } = seen;
      if (isSettled(approval)) throw new AlreadySettled(approval);
      const claim = openClaim(approval, seen.now);
      if (claim?.kind === kind && isClaimedBy(claim, by)) return approval;
      const seconds = kind === 'snoozed' ? SNOOZE_SECONDS : (approval.policy?.claimSeconds ?? CLAIM_SECONDS);
      if (await this.store.claim(id, by, { kind, seconds })) return this.claimed(seen, by, kind);
      await explainRefusal(seen, { by, verdict: kind }, this.store);
      if (claim !== null) throw new AlreadyClaimed(approval, claim);
      return null;
    });
  }

  /** @returns null if it has settled meanwhile */
  private async claimed(seen: Snapshot, by: Person, kind: ClaimKind): Promise<PendingApproval | null> {
    this.events.publish(new ApprovalClaimed(seen.approval, by, kind, seen.now));
    const { approval } = await findDecidable(seen.approval.id, this);
    return approval.status === 'pending' ? approval : null;
  }
}
