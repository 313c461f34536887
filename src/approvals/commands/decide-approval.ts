import { setTimeout as sleep } from 'node:timers/promises';
import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { decide, type DecidedApproval, type Verdict } from '../approval';
import type { Person } from '../../kernel/actor';
import { DomainError } from '../../kernel/errors';
import { ApprovalSettled } from '../approval-events';
import { ApprovalStore } from '../approval-store';
import { RateLimits } from '../../access/rate-limits';
import { SettlementFeed } from '../settlement-feed';
import { judged } from './late-attempt';

/** Yields the CPU to the waiters that were just answered. */
const REST_MS = 1;

/**
 * Applies an operator's verdict. Authorise the operator before sending it.
 *
 * Rejects with AlreadySettled, Expired, NotDecidable, RateLimited, or DomainError `approval.not-found`,
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
  ) {
    super();
  }
}

@CommandHandler(DecideApprovalCommand)
export class DecideApprovalHandler implements ICommandHandler<DecideApprovalCommand> {
  constructor(
    private readonly store: ApprovalStore,
    private readonly limits: RateLimits,
    private readonly feed: SettlementFeed,
    private readonly events: EventBus,
  ) {}

  async execute(command: DecideApprovalCommand): Promise<DecidedApproval> {
    const counted = await this.limits.decide(command.by);
    try {
      return await this.decide(command);
    } catch (error) {
      // One tap is retried for minutes: counted each time, it would use up the limit and be refused at the end.
      if (error instanceof DomainError && error.code === 'database.unavailable') await counted.giveBack();
      throw error;
    }
  }

  private async decide(command: DecideApprovalCommand): Promise<DecidedApproval> {
    const { id, by, verdict, reason, displayDigest } = command;
    const outcome = { status: verdict, by, reason, displayDigest };
    const attempted = { id, by, attempt: verdict };
    const evidence = { store: this.store, limits: this.limits };
    const attempt = await judged(
      () => this.store.settle(id, outcome, this.feed.lastSeen(id)),
      attempted,
      evidence,
    );
    if (attempt.changed) {
      // Waiters are answered first; log, metrics and the operator's own answer come after.
      this.feed.answer(attempt.approval);
      await sleep(REST_MS);
      this.events.publish(new ApprovalSettled(attempt.approval));
    }
    // The pure rule decides: done, done before, or refused.
    return judged(() => decide(attempt.approval, by, verdict, reason, attempt.now), attempted, evidence);
  }
}
