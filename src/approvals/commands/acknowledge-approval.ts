import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { DomainError } from '../../kernel/errors';
import { acknowledge, type Acknowledgement, type SettledApproval } from '../approval';
import { ApprovalAcknowledged } from '../approval-events';
import { ApprovalStore } from '../approval-store';
import { mayView } from '../queries/get-approval';

/**
 * Records the acknowledgement of the agent that asked.
 *
 * Rejects with NotSettled, AlreadyAcknowledged, or DomainError `approval.not-found`.
 */
export class AcknowledgeApprovalCommand extends Command<SettledApproval> {
  constructor(
    readonly id: string,
    readonly keyId: string,
    readonly outcome: Acknowledgement,
  ) {
    super();
  }
}

@CommandHandler(AcknowledgeApprovalCommand)
export class AcknowledgeApprovalHandler implements ICommandHandler<AcknowledgeApprovalCommand> {
  constructor(
    private readonly store: ApprovalStore,
    private readonly events: EventBus,
  ) {}

  async execute(command: AcknowledgeApprovalCommand): Promise<SettledApproval> {
    const { id, keyId, outcome } = command;
    const acknowledged = await this.store.acknowledge(id, keyId, outcome);
    if (acknowledged) {
      this.events.publish(new ApprovalAcknowledged(outcome));
      return acknowledged;
    }
    const found = await this.store.find(id, keyId);
    if (!found || !mayView({ keyId }, found)) {
      throw new DomainError('approval.not-found', 'There is no approval with this id.');
    }
    // The pure rule decides: recorded before, or refused. A request that settled only just now gets another try.
    const noted = acknowledge(found.approval, outcome);
    return noted === found.approval ? noted : this.execute(command);
  }
}
