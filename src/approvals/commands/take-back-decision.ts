import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { AlreadySettled, isSettled, type PendingApproval } from '../approval';
import type { Person } from '../../kernel/actor';
import { ApprovalStore } from '../approval-store';
import { explainRefusal, findDecidable } from './decidable';
import { Receipts } from '../../receipts/receipts';

/**
 * Takes back what a person decided about a request that needs more people. Idempotent: a person without a decision keeps
 * none.
 *
 * Rejects with AlreadySettled, or DomainError `approval.not-found`, `access.same-owner`, `quorum.not-eligible`.
 */
export class TakeBackDecisionCommand extends Command<PendingApproval> {
  constructor(
    readonly id: string,
    readonly by: Person,
  ) {
    super();
  }
}

@CommandHandler(TakeBackDecisionCommand)
export class TakeBackDecisionHandler implements ICommandHandler<TakeBackDecisionCommand> {
  constructor(
    readonly store: ApprovalStore,
    readonly receipts: Receipts,
    readonly events: EventBus,
  ) {}

  async execute({ id, by }: TakeBackDecisionCommand): Promise<PendingApproval> {
    const isChanged = await this.store.takeBack(id, by);
    const seen = await findDecidable(id, this);
    if (isSettled(seen.approval)) throw new AlreadySettled(seen.approval);
    if (!isChanged) await explainRefusal(seen, { by, verdict: 'taken-back' }, this.store);
    return seen.approval;
  }
}
