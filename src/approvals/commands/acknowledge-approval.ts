import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { acknowledge, type Acknowledgement, type SettledApproval } from '../approval';
import { ApprovalAcknowledged } from '../approval-events';
import { ApprovalStore } from '../approval-store';
import { findFor } from '../queries/viewer';

/**
 * Records the acknowledgement of the agent that asked. Answers with the approval if the same was recorded before; null:
 * it was recorded now, without reading the request.
 *
 * Rejects with NotSettled, AlreadyAcknowledged, or DomainError `approval.not-found`.
 */
export class AcknowledgeApprovalCommand extends Command<SettledApproval | null> {
  /** @param gone drops the read of a request that is not acknowledged by this; null: it is needed in any case */
  constructor(
    readonly id: string,
    readonly keyId: string,
    readonly outcome: Acknowledgement,
    readonly gone: AbortSignal | null = null,
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

  async execute(command: AcknowledgeApprovalCommand): Promise<SettledApproval | null> {
    const { id, keyId, outcome, gone } = command;
    if (await this.store.acknowledge(id, keyId, outcome)) {
      this.events.publish(new ApprovalAcknowledged(outcome));
      return null;
    }
    const found = await findFor({ keyId }, { store: this.store, id, gone });
    // The pure rule decides: recorded before, or refused. A request that settled only just now gets another try.
    const noted = acknowledge(found.approval, outcome);
    return noted === found.approval ? noted : this.execute(command);
  }
}
