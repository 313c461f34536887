import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { RateLimits } from '../../access/rate-limits';
import type { Person } from '../../kernel/actor';
import { ActivePolicy } from '../../policy/active-policy';
import { Receipts } from '../../receipts/receipts';
import {
  AlreadySettled,
  Expired,
  NotDecidable,
  ReasonRequired,
  decide,
  type Approval,
  type DecidedApproval,
  type Verdict,
  withDecision,
} from '../approval';
import { ApprovalSettled, TurnDecided } from '../approval-events';
import { ApprovalStore, type LateAttempt, type Snapshot } from '../approval-store';
import { SettlementFeed } from '../settlement-feed';
import { turnDigest, type ShownCall } from '../turns';
import { mayDecideTogether } from '../queries/may-decide-together';
import { decideCounted, findDecidable } from './decidable';

export interface DecidedTurn {
  /** Has this verdict of this person, from this tap or an earlier one. */
  readonly decided: readonly DecidedApproval[];
  /** Ended otherwise, must be decided alone, or may not be decided by this person. */
  readonly refused: readonly Approval[];
  /** True if this person may not decide one of them. */
  readonly isBarred: boolean;
}

/**
 * Applies an operator's one verdict to the calls of a turn, as they were shown. Authorise the operator before sending it.
 * It counts as one decision of the person. Each call that cannot be decided any more is left as it is.
 *
 * Rejects with RateLimited, or DomainError `receipt.unavailable`.
 */
export class DecideTurnCommand extends Command<DecidedTurn> {
  constructor(
    readonly calls: readonly ShownCall[],
    readonly by: Person,
    readonly verdict: Verdict,
  ) {
    super();
  }
}

/** A call as it was read, and the result of the pure rule: a decision to be stored, one that was stored before, or a refusal. */
type Judged = { readonly call: ShownCall; readonly approval: Approval } & (
  | { readonly kind: 'open'; readonly decided: DecidedApproval }
  | { readonly kind: 'decided-before'; readonly decided: DecidedApproval }
  | { readonly kind: 'refused'; readonly reason: LateAttempt['reason'] }
);

@CommandHandler(DecideTurnCommand)
export class DecideTurnHandler implements ICommandHandler<DecideTurnCommand> {
  constructor(
    readonly store: ApprovalStore,
    private readonly limits: RateLimits,
    private readonly feed: SettlementFeed,
    readonly receipts: Receipts,
    readonly events: EventBus,
    private readonly policy: ActivePolicy,
  ) {}

  execute(command: DecideTurnCommand): Promise<DecidedTurn> {
    return decideCounted(this.limits, command.by, () => this.decideAll(command));
  }

  /** @returns null if all that were open have changed since they were read: they must be read again */
  private async decideAll(command: DecideTurnCommand): Promise<DecidedTurn | null> {
    const judged = await Promise.all(
      command.calls.map(async (call) => this.judge(call, await findDecidable(call.id, this), command)),
    );
    const open = judged.flatMap((each) => (each.kind === 'open' ? [each] : []));
    const settled = await this.settle(open, command);
    const missed = open.filter(({ call }) => !settled.some(({ id }) => id === call.id));
    const isBarred = await this.explain(missed, command);
    if (open.length > 0 && settled.length === 0 && !isBarred) return null;
    const before = judged.flatMap((each) => (each.kind === 'decided-before' ? [each.decided] : []));
    const refused = await this.refuse(judged, command, settled.length > 0);
    const changed = await Promise.all(missed.map(({ call }) => findDecidable(call.id, this)));
    return {
      decided: [...settled, ...before],
      refused: [...refused, ...changed.map(({ approval }) => approval)],
      isBarred,
    };
  }

  /** Audits those that this person may not decide. @returns true if there is one */
  private async explain(
    missed: readonly { readonly call: ShownCall }[],
    { by, verdict }: DecideTurnCommand,
  ): Promise<boolean> {
    let isBarred = false;
    for (const { call } of missed) {
      const why = await this.store.explainRefusal(call.id, by, verdict);
      isBarred ||= why === 'same-owner' || why === 'not-eligible';
    }
    return isBarred;
  }

  private judge(call: ShownCall, seen: Snapshot, { by, verdict }: DecideTurnCommand): Judged {
    const { approval } = seen;
    const refused = (reason: LateAttempt['reason']): Judged => ({ call, approval, kind: 'refused', reason });
    try {
      const decided = decide(approval, by, verdict, null, seen.now);
      if (decided === approval) return { call, approval, kind: 'decided-before', decided };
      const isAsShown = seen.displayDigest === call.displayDigest;
      return isAsShown && mayDecideTogether(approval, this.policy)
        ? { call, approval, kind: 'open', decided }
        : refused('not-decidable');
    } catch (error) {
      if (error instanceof AlreadySettled) return refused('already-settled');
      if (error instanceof Expired) return refused('expired');
      if (error instanceof NotDecidable || error instanceof ReasonRequired) return refused('not-decidable');
      throw error;
    }
  }

  private async settle(
    open: readonly Extract<Judged, { kind: 'open' }>[],
    { calls, verdict }: DecideTurnCommand,
  ): Promise<readonly DecidedApproval[]> {
    if (open.length === 0) return [];
    // One tap has one time: the oldest of those that were read.
    const settledAt = new Date(Math.min(...open.map(({ decided }) => decided.settledAt.getTime())));
    const decisions = await Promise.all(
      open.map(async ({ call: { displayDigest }, decided }) => {
        const approval = withDecision({ ...decided, settledAt }, displayDigest);
        return { ...approval, receipt: await this.receipts.sign({ approval, displayDigest }), displayDigest };
      }),
    );
    const ids = await this.store.settleTurn({ digest: turnDigest(calls), calls: calls.length, decisions });
    const settled = decisions
      .filter(({ id }) => ids.includes(id))
      .map(({ displayDigest: _, ...each }) => each);
    // Waiters are answered first; log, metrics and the operator's own answer come after.
    for (const each of settled) this.feed.answer(each);
    for (const each of settled) this.events.publish(new ApprovalSettled(each));
    if (settled.length > 0) this.events.publish(new TurnDecided(verdict, settled.length));
    return settled;
  }

  /** Writes each refused attempt into the audit log; a tap that decided nothing counts against the limit of those. */
  private async refuse(
    judged: readonly Judged[],
    { by, verdict }: DecideTurnCommand,
    hasDecided: boolean,
  ): Promise<readonly Approval[]> {
    const refused = judged.flatMap((each) => (each.kind === 'refused' ? [each] : []));
    if (refused.length > 0 && !hasDecided) await this.limits.refuse(by);
    for (const { approval, reason } of refused)
      await this.store.recordLate(approval.id, by, { attempt: verdict, reason });
    return refused.map(({ approval }) => approval);
  }
}
