import { Injectable, type OnModuleInit } from '@nestjs/common';
import { EventBus, type IEvent } from '@nestjs/cqrs';
import { ApprovalEnqueued, ApprovalSettled } from '../approvals/approval-events';
import { CardDelivered } from '../escalation/escalation-events';
import { describeError, Log } from '../logging/log';
import { TelegramAttempted } from '../telegram/telegram-events';
import { EscalationMetrics } from './escalation-metrics';

/**
 * Carries what happened to the metrics. The bus calls it inside the approval's own path, after COMMIT: what goes
 * wrong here ends here, or an unhandled error would end the process.
 */
@Injectable()
export class MetricsRecorder implements OnModuleInit {
  private failing = false;

  constructor(
    private readonly events: EventBus,
    private readonly metrics: EscalationMetrics,
    private readonly log: Log,
  ) {}

  /** Not later: the way to Telegram opens when the application starts. */
  onModuleInit(): void {
    this.events.subscribe((event) => this.record(event));
  }

  private record(event: IEvent): void {
    try {
      this.count(event);
      this.failing = false;
    } catch (error) {
      if (!this.failing) {
        const fields = { error: describeError(error) };
        this.log.event('error', 'metrics.record-failed', fields, 'metrics miss events; approvals go on');
      }
      this.failing = true;
    }
  }

  private count(event: IEvent): void {
    if (event instanceof ApprovalEnqueued) this.metrics.enqueued();
    else if (event instanceof ApprovalSettled) this.metrics.settled(event.approval);
    else if (event instanceof TelegramAttempted) this.metrics.attempted(event);
    else if (event instanceof CardDelivered) this.metrics.delivered(event);
  }
}
