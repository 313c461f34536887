import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { AlreadySettled, isSettled, type PendingApproval } from '../approval';
import type { Person } from '../../kernel/actor';
import { ApprovalStore } from '../approval-store';
import { findDecidable } from './decidable';
import { Receipts } from '../../receipts/receipts';

/**
 * Takes back what a person decided about a request that needs more people. Idempotent: a person without a decision keeps
 * none.
 *
 * Rejects with AlreadySettled, or DomainError `approval.not-found`.
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
    await this.store.takeBack(id, by);
    const { approval } = await findDecidable(id, this);
    if (isSettled(approval)) throw new AlreadySettled(approval);
    return approval;
  }
}
