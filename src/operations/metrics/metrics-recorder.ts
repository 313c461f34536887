import { Injectable, type OnModuleInit } from '@nestjs/common';
import { EventBus, type IEvent } from '@nestjs/cqrs';
import { ApprovalAcknowledged, ApprovalEnqueued, ApprovalSettled } from '../../approvals/approval-events';
import { AttemptRefused } from '../../audit/refusal-events';
import { ConnectorAnswered } from '../../agents/connector-events';
import { CardDelivered } from '../../channels/escalation-events';
import { ReceiptsFailed } from '../../receipts/receipt-events';
import { ApprovalsRemoved } from '../../retention/retention-events';
import { TelegramAttempted, UpdateUnreadable } from '../../channels/telegram/bot-api/telegram-events';
import { EscalationMetrics } from './escalation-metrics';
import { Harmless } from './harmless';

/**
 * Passes events to the metrics. The bus calls it inside the approval's own path, after COMMIT. It catches all errors,
 * because an unhandled one would end the process.
 */
@Injectable()
export class MetricsRecorder implements OnModuleInit {
  constructor(
    private readonly events: EventBus,
    private readonly metrics: EscalationMetrics,
    private readonly harmless: Harmless,
  ) {}

  /** Not later: the Telegram gateway starts at application bootstrap. */
  onModuleInit(): void {
    this.events.subscribe((event) => this.harmless.do(() => this.record(event)));
  }

  private record(event: IEvent): void {
    if (event instanceof ApprovalEnqueued) this.metrics.enqueued();
    else if (event instanceof ApprovalSettled) this.metrics.settled(event.approval);
    else if (event instanceof ApprovalAcknowledged) this.metrics.acknowledged(event.outcome);
    else if (event instanceof ConnectorAnswered) this.metrics.answered(event);
    else if (event instanceof TelegramAttempted) this.metrics.attempted(event);
    else if (event instanceof UpdateUnreadable) this.metrics.updateSkipped();
    else if (event instanceof CardDelivered) this.metrics.delivered(event);
    else if (event instanceof ReceiptsFailed) this.metrics.receiptsFailed(event);
    else if (event instanceof AttemptRefused) this.metrics.refused(event);
    else if (event instanceof ApprovalsRemoved) this.metrics.removed(event.count);
  }
}
