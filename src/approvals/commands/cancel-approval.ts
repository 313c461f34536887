import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { cancel, type Departure, type SettledApproval, type Settlement } from '../approval';
import type { Person } from '../../kernel/actor';
import { ApprovalSettled } from '../approval-events';
import { ApprovalStore } from '../approval-store';
import { Receipts } from '../../receipts/receipts';
import type { Viewer } from '../../kernel/viewer';
import { findAnswerable } from './find-answerable';
import { RateLimits } from '../../access/rate-limits';
import { judge } from './late-attempt';

/** Causes of an ending without a decision: somebody took the request back, every caller left, or it timed out. */
export type Cancellation =
  | {
      readonly cause: 'requested';
      readonly id: string;
      readonly by: Person;
      readonly reason: string | null;
      /** The caller that may see the request. */
      readonly viewer: Viewer;
      /** Drops the read of a request that is not cancelled by this; null: it is needed in any case. */
      readonly gone: AbortSignal | null;
    }
  /** Every caller hung up, and none has joined since that departure. */
  | {
      readonly cause: 'abandoned';
      readonly id: string;
      readonly since: Departure;
      readonly by: Person;
      readonly reason: string;
    }
  /** Those of these ids that are past their deadline. */
  | { readonly cause: 'timeout'; readonly ids: readonly string[] }
  /** Up to `limit` requests that became due after this moment; null: all that are due. */
  | { readonly cause: 'timeout'; readonly limit: number; readonly after: Date | null };

/**
 * Ends requests without a decision; answers with those it ended, without reading them.
 *
 * Leaves an abandoned request alone if a caller came back. A requested one answers with the approval if the same caller
 * cancelled it before. It rejects with AlreadySettled, Expired, RateLimited, or DomainError `approval.not-found`.
 */
export class CancelApprovalCommand extends Command<readonly (Settlement | SettledApproval)[]> {
  constructor(readonly cancellation: Cancellation) {
    super();
  }
}

@CommandHandler(CancelApprovalCommand)
export class CancelApprovalHandler implements ICommandHandler<CancelApprovalCommand> {
  constructor(
    private readonly store: ApprovalStore,
    private readonly limits: RateLimits,
    private readonly receipts: Receipts,
    private readonly events: EventBus,
  ) {}

  async execute({ cancellation }: CancelApprovalCommand): Promise<readonly (Settlement | SettledApproval)[]> {
    if (cancellation.cause === 'requested') return [await this.take(cancellation)];
    if (cancellation.cause === 'abandoned') {
      const { id, since, by, reason } = cancellation;
      const abandoned = await this.store.cancel(id, by, reason, since);
      return this.announce(abandoned ? [abandoned] : []);
    }
    return 'ids' in cancellation
      ? this.announce(await this.store.expireOverdue(cancellation.ids))
      : this.announce(await this.store.expireDue(cancellation.limit, cancellation.after));
  }

  private async take(request: Cancellation & { cause: 'requested' }): Promise<Settlement | SettledApproval> {
    const { id, by, reason, viewer, gone } = request;
    const ended = await this.store.cancel(id, by, reason, null);
    if (ended) {
      this.announce([ended]);
      return ended;
    }
    const { approval, now, endsInMs } = await findAnswerable(viewer, {
      store: this.store,
      receipts: this.receipts,
      id,
      gone,
    });
    if (approval.status === 'pending' && endsInMs <= 0) {
      this.announce(await this.store.expireOverdue([id]));
      return this.take(request);
    }
    // The pure rule decides: cancelled before, or refused. A request that changed meanwhile gets another try.
    const cancelled = await judge(
      () => cancel(approval, by, reason, now),
      { id, by, attempt: 'cancelled' },
      { store: this.store, limits: this.limits },
    );
    return cancelled === approval ? cancelled : this.take(request);
  }

  private announce(ended: readonly Settlement[]): readonly Settlement[] {
    this.events.publishAll(ended.map((approval) => new ApprovalSettled(approval)));
    return ended;
  }
}
