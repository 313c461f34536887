import { Inject } from '@nestjs/common';
import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { RateLimits } from '../../access/rate-limits';
import { CONFIG, type Config } from '../../config/environment';
import type { Person } from '../../kernel/actor';
import { Receipts } from '../../receipts/receipts';
import { AlreadySettled, isSettled, longestWait, NoMoreTime, type PendingApproval } from '../approval';
import { ApprovalExtended } from '../approval-events';
import { ApprovalStore } from '../approval-store';
import { decideCounted, explainRefusal, findDecidable } from './decidable';

/**
 * Gives a pending request more time, within the longest wait of its class and of the installation. Decides nothing.
 *
 * Rejects with AlreadySettled, NoMoreTime, RateLimited, or DomainError `approval.not-found`, `access.same-owner`,
 * `quorum.not-eligible`.
 */
export class ExtendApprovalCommand extends Command<PendingApproval> {
  /** @param orLess take what is left where the request may not have all of it */
  constructor(
    readonly id: string,
    readonly by: Person,
    readonly seconds: number,
    readonly orLess = false,
  ) {
    super();
  }
}

@CommandHandler(ExtendApprovalCommand)
export class ExtendApprovalHandler implements ICommandHandler<ExtendApprovalCommand> {
  constructor(
    readonly store: ApprovalStore,
    readonly limits: RateLimits,
    readonly receipts: Receipts,
    readonly events: EventBus,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  execute({ id, by, seconds: asked, orLess }: ExtendApprovalCommand): Promise<PendingApproval> {
    const { maxTimeoutSeconds, warningSeconds } = this.config.approvals;
    return decideCounted(this.limits, by, async () => {
      const seen = await findDecidable(id, this);
      const { approval } = seen;
      if (isSettled(approval)) throw new AlreadySettled(approval);
      const longestSeconds = longestWait(approval, maxTimeoutSeconds);
      const latest = new Date(approval.createdAt.getTime() + longestSeconds * 1000);
      const leftSeconds = Math.floor((latest.getTime() - approval.expiresAt.getTime()) / 1000);
      const seconds = orLess ? Math.min(asked, leftSeconds) : asked;
      const isPossible = seconds >= 1 && seconds <= leftSeconds;
      if (isPossible && (await this.store.extend(id, by, { seconds, longestSeconds, warningSeconds })))
        return this.extended(id, by, seconds);
      await explainRefusal(seen, { by, verdict: 'extended' }, this.store);
      if (!isPossible) throw new NoMoreTime(approval, latest);
      return null;
    });
  }

  /** @returns null if it has settled meanwhile */
  private async extended(id: string, by: Person, seconds: number): Promise<PendingApproval | null> {
    this.events.publish(new ApprovalExtended(id, by, seconds));
    const { approval } = await findDecidable(id, this);
    return approval.status === 'pending' ? approval : null;
  }
}
