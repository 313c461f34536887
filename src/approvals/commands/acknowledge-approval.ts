import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { acknowledge, type Acknowledgement, type SettledApproval } from '../approval';
import { ApprovalAcknowledged } from '../approval-events';
import { ApprovalStore } from '../approval-store';
import { Receipts } from '../../receipts/receipts';
import { findAnswerable } from './find-answerable';

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
    private readonly receipts: Receipts,
    private readonly events: EventBus,
  ) {}

  async execute(command: AcknowledgeApprovalCommand): Promise<SettledApproval | null> {
    const { id, keyId, outcome, gone } = command;
    if (await this.store.acknowledge(id, keyId, outcome)) {
      this.events.publish(new ApprovalAcknowledged(outcome));
      return null;
    }
    const found = await findAnswerable({ keyId }, { store: this.store, receipts: this.receipts, id, gone });
    // The pure rule decides: recorded before, or refused. A request that settled only just now gets another try.
    const noted = acknowledge(found.approval, outcome);
    return noted === found.approval ? noted : this.execute(command);
  }
}
