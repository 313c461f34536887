import { randomUUID } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { RateLimits } from '../../access/rate-limits';
import type { Person } from '../../kernel/actor';
import { DomainError } from '../../kernel/errors';
import { ActivePolicy } from '../../policy/active-policy';
import { OpenGrants } from '../../policy/grants/open-grants';
import { AGENT_TOOLS, type ToolShapes } from '../../policy/tool-shapes';
import { Receipts } from '../../receipts/receipts';
import { ApprovalStore, type Snapshot } from '../approval-store';
import { findLateOffer } from '../queries/find-grant-offers';
import { decideCounted, findDecidable, notEligible, sameOwner } from './decidable';
import { checkRoom, type MadeGrant } from './make-grant';

/** The life of a grant from a request that ended without a decision, in seconds. */
export const LATE_GRANT_SECONDS = 3600;

/**
 * Allows one repetition of exactly the action of a request that ended before anybody decided: it expired, or its agent left.
 * Authorise the operator before sending it. Idempotent for one person, until the grant is revoked.
 *
 * Rejects as MakeGrantCommand does.
 */
export class MakeLateGrantCommand extends Command<Omit<MadeGrant, 'approval'>> {
  constructor(
    readonly approvalId: string,
    readonly by: Person,
  ) {
    super();
  }
}

@CommandHandler(MakeLateGrantCommand)
export class MakeLateGrantHandler implements ICommandHandler<MakeLateGrantCommand> {
  constructor(
    readonly store: ApprovalStore,
    private readonly limits: RateLimits,
    readonly receipts: Receipts,
    readonly events: EventBus,
    private readonly policy: ActivePolicy,
    private readonly grants: OpenGrants,
    @Inject(AGENT_TOOLS) private readonly shapes: ToolShapes,
  ) {}

  execute({ approvalId, by }: MakeLateGrantCommand): Promise<Omit<MadeGrant, 'approval'>> {
    return decideCounted(this.limits, by, async () => this.make(await findDecidable(approvalId, this), by));
  }

  /** @returns null if something has changed since the request was seen: it must be read again */
  private async make({ approval, now }: Snapshot, by: Person): Promise<Omit<MadeGrant, 'approval'> | null> {
    const offer = findLateOffer(approval, now, { policy: this.policy, shapes: this.shapes });
    if (!offer) {
      throw new DomainError(
        'grant.not-permitted',
        'Only a request that expired, or whose agent left, within the last hour can be allowed once, and only where grants are permitted.',
      );
    }
    const { id, cwd, toolName } = approval;
    const made = await this.store.grantLate({ id, toolName }, by, {
      id: randomUUID(),
      scope: offer.scope,
      words: offer.words,
      seconds: LATE_GRANT_SECONDS,
      policyVersion: this.policy.version,
      cwd,
    });
    if (made === 'same-owner') throw sameOwner();
    if (made === 'not-eligible') throw notEligible(null);
    if (made === 'granted-before')
      throw new DomainError('grant.not-permitted', 'A grant was made from this request before.');
    await Promise.all([this.policy.refresh(), this.grants.refresh()]);
    if (made === null) checkRoom(this.grants, approval.keyId);
    return made && { ...made, scope: offer.words, by };
  }
}
