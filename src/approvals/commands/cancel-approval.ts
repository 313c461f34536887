import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { cancel, type Departure, type Settlement } from '../approval';
import type { Actor } from '../../kernel/actor';
import { ApprovalSettled } from '../approval-events';
import { ApprovalStore } from '../approval-store';
import { RateLimits } from '../../access/rate-limits';
import { judged } from './late-attempt';

/** Causes of an ending without a decision: somebody took the request back, every caller left, or it timed out. */
export type Cancellation =
  | { readonly cause: 'requested'; readonly id: string; readonly by: Actor; readonly reason: string | null }
  /** Every caller hung up, and none has joined since that departure. */
  | {
      readonly cause: 'abandoned';
      readonly id: string;
      readonly since: Departure;
      readonly by: Actor;
      readonly reason: string;
    }
  /** Those of these ids that are past their deadline. */
  | { readonly cause: 'timeout'; readonly ids: readonly string[] }
  /** Up to `limit` requests that became due after this moment; null: all that are due. */
  | { readonly cause: 'timeout'; readonly limit: number; readonly after: Date | null };

/**
 * Ends requests without a decision; answers with those it ended.
 *
 * Leaves an abandoned request alone if a caller came back. A requested one rejects with AlreadySettled, Expired,
 * RateLimited, or DomainError `approval.not-found`.
 */
export class CancelApprovalCommand extends Command<readonly Settlement[]> {
  constructor(readonly cancellation: Cancellation) {
    super();
  }
}

@CommandHandler(CancelApprovalCommand)
export class CancelApprovalHandler implements ICommandHandler<CancelApprovalCommand> {
  constructor(
    private readonly store: ApprovalStore,
    private readonly limits: RateLimits,
    private readonly events: EventBus,
  ) {}

  async execute({ cancellation }: CancelApprovalCommand): Promise<readonly Settlement[]> {
    if (cancellation.cause === 'requested') return [await this.take(cancellation)];
    if (cancellation.cause === 'abandoned') {
      const { id, since, by, reason } = cancellation;
      const abandoned = await this.store.abandon(id, since, by, reason);
      return this.announced(abandoned ? [abandoned] : []);
    }
    return 'ids' in cancellation
      ? this.announced(await this.store.expireOverdue(cancellation.ids))
      : this.announced(await this.store.expireDue(cancellation.limit, cancellation.after));
  }

  private async take({ id, by, reason }: Cancellation & { cause: 'requested' }): Promise<Settlement> {
    const attempt = await this.store.settle(id, { status: 'cancelled', by, reason });
    if (attempt.changed) this.announced([attempt.approval]);
    return judged(
      () => cancel(attempt.approval, by, reason, attempt.now),
      { id, by, attempt: 'cancelled' },
      { store: this.store, limits: this.limits },
    );
  }

  private announced(ended: readonly Settlement[]): readonly Settlement[] {
    this.events.publishAll(ended.map((approval) => new ApprovalSettled(approval)));
    return ended;
  }
}
