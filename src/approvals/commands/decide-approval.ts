import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { decide, type DecidedApproval, type Verdict } from '../approval';
import type { Person } from '../../kernel/actor';
import { DomainError } from '../../kernel/errors';
import { ApprovalSettled } from '../approval-events';
import { ApprovalStore, type Snapshot } from '../approval-store';
import { findAnswerable } from './find-answerable';
import { Receipts } from '../../receipts/receipts';
import { RateLimits } from '../../access/rate-limits';
import { SettlementFeed } from '../settlement-feed';
import { judge } from './late-attempt';

/** Maximum number of tries, when the request changes between its read and its update. */
const MAX_TRIES = 5;

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
    private readonly receipts: Receipts,
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
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const decided = await this.decideAs(await this.read(command.id), command);
      if (decided) return decided;
    }
    throw new DomainError(
      'database.unavailable',
      'The request was different each time it was settled; try again shortly.',
    );
  }

  /** @returns null if the request has changed since it was seen, or that was too long ago: it must be read again. */
  private async decideAs(seen: Snapshot, command: DecideApprovalCommand): Promise<DecidedApproval | null> {
    const { id, by, verdict, reason, displayDigest: tapped } = command;
    const unsigned = await judge(
      () => decide(seen.approval, by, verdict, reason, seen.now),
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

  /** Reads the request; ends it first if it is overdue, so that the caller gets the true state. */
  private async read(id: string): Promise<Snapshot> {
    const from = { store: this.store, receipts: this.receipts, id, gone: null };
    const found = await findAnswerable('everything', from);
    if (found.approval.status !== 'pending' || found.endsInMs > 0) return found;
    for (const ended of await this.store.expireOverdue([id])) this.events.publish(new ApprovalSettled(ended));
    return findAnswerable('everything', from);
  }
}

const sameOwner = () =>
  new DomainError(
    'access.same-owner',
    'The key that asked and this one belong to the same owner; somebody else must decide.',
  );
