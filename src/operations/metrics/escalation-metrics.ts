import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import { Counter, Histogram } from 'prom-client';
import { ACKNOWLEDGEMENTS, type Acknowledgement, type Settlement } from '../../approvals/approval';
import { REFUSAL_REASONS, type AttemptRefused } from '../../audit/refusal-events';
import { ANSWER_KINDS } from '../../agents/answers';
import { CONNECTORS, type ConnectorAnswered } from '../../agents/connector-events';
import type { CardDelivered } from '../../channels/escalation-events';
import type { ReceiptsFailed } from '../../receipts/receipt-events';
import type { TelegramAttempted } from '../../channels/telegram/bot-api/telegram-events';
import {
  CHANNELS,
  FINAL_STATUSES,
  TELEGRAM_FAILURE_REASONS,
  TELEGRAM_METHODS,
  telegramMethodLabel,
} from './labels';
import { PendingEstimate } from './pending-estimate';

const secondsBetween = (from: Date, to: Date): number => Math.max(0, (to.getTime() - from.getTime()) / 1000);

/** The one place that counts escalations. Counts only work of this replica. */
@Injectable()
export class EscalationMetrics implements OnModuleInit {
  @InjectMetric('escalation_queue_enqueue_total') private readonly enqueues!: Counter;
  @InjectMetric('escalation_queue_dequeue_total') private readonly dequeues!: Counter;
  @InjectMetric('escalation_queue_depth_histogram') private readonly depth!: Histogram;
  @InjectMetric('escalation_approvals_accepted_total') private readonly accepted!: Counter;
  @InjectMetric('escalation_approvals_rejected_total') private readonly rejected!: Counter;
  @InjectMetric('escalation_approvals_timeout_total') private readonly timeouts!: Counter;
  @InjectMetric('escalation_response_time_seconds') private readonly responseTime!: Histogram;
  @InjectMetric('escalation_initializations_total') private readonly begun!: Counter;
  @InjectMetric('escalation_completions_total') private readonly completions!: Counter;
  @InjectMetric('escalation_acknowledgements_total') private readonly acknowledgements!: Counter;
  @InjectMetric('connector_answers_total') private readonly answers!: Counter;
  @InjectMetric('approval_retention_removed_total') private readonly removals!: Counter;
  @InjectMetric('escalation_decision_seconds') private readonly decisionTime!: Histogram;
  @InjectMetric('escalation_delivery_seconds') private readonly deliveryTime!: Histogram;
  @InjectMetric('receipts_failures_total') private readonly receiptFailures!: Counter;
  @InjectMetric('access_refusals_total') private readonly refusals!: Counter;
  @InjectMetric('telegram_updates_skipped_total') private readonly skippedUpdates!: Counter;
  @InjectMetric('telegram_api_requests_total') private readonly requests!: Counter;
  @InjectMetric('telegram_api_failures_total') private readonly failures!: Counter;
  @InjectMetric('telegram_api_retry_attempts_total') private readonly retries!: Counter;
  @InjectMetric('telegram_api_duration_seconds') private readonly duration!: Histogram;

  constructor(private readonly pending: PendingEstimate) {}

  /** A labelled series appears with its first value; rates and alerts need the zero before it. */
  onModuleInit(): void {
    for (const method of TELEGRAM_METHODS) {
      this.requests.inc({ method }, 0);
      this.retries.inc({ method }, 0);
      this.duration.zero({ method });
      for (const reason of TELEGRAM_FAILURE_REASONS) this.failures.inc({ method, reason }, 0);
    }
    for (const status of FINAL_STATUSES) this.completions.inc({ status }, 0);
    for (const outcome of ACKNOWLEDGEMENTS) this.acknowledgements.inc({ outcome }, 0);
    for (const connector of CONNECTORS)
      for (const answer of ANSWER_KINDS) this.answers.inc({ connector, answer }, 0);
    for (const channel of CHANNELS) {
      this.decisionTime.zero({ channel });
      for (const reason of REFUSAL_REASONS) this.refusals.inc({ reason, channel }, 0);
    }
  }

  enqueued(): void {
    // First, so that the estimate stays correct even if the metrics fail.
    const pending = this.pending.enqueued();
    this.enqueues.inc();
    this.begun.inc();
    this.depth.observe(pending);
  }

  settled(approval: Settlement): void {
    this.pending.settled();
    this.dequeues.inc();
    this.completions.inc({ status: approval.status });
    switch (approval.status) {
      case 'approved':
        this.accepted.inc();
        break;
      case 'rejected':
        this.rejected.inc();
        break;
      case 'expired':
        this.timeouts.inc();
        return;
      case 'cancelled':
        return;
    }
    const seconds = secondsBetween(approval.createdAt, approval.settledAt);
    this.responseTime.observe(seconds);
    this.decisionTime.observe(
      { channel: approval.decision.by.kind === 'telegram' ? 'telegram' : 'api' },
      seconds,
    );
  }

  acknowledged(outcome: Acknowledgement): void {
    this.acknowledgements.inc({ outcome });
  }

  answered({ connector, kind }: ConnectorAnswered): void {
    this.answers.inc({ connector, answer: kind });
  }

  removed(count: number): void {
    this.removals.inc(count);
  }

  delivered({ latencyMs }: CardDelivered): void {
    this.deliveryTime.observe(latencyMs / 1000);
  }

  receiptsFailed({ count }: ReceiptsFailed): void {
    this.receiptFailures.inc(count);
  }

  refused({ reason, channel }: AttemptRefused): void {
    this.refusals.inc({ reason, channel });
  }

  updateSkipped(): void {
    this.skippedUpdates.inc();
  }

  attempted({ method: name, durationMs, failure, isRetry }: TelegramAttempted): void {
    const method = telegramMethodLabel(name);
    this.requests.inc({ method });
    this.duration.observe({ method }, durationMs / 1000);
    if (isRetry) this.retries.inc({ method });
    if (failure !== null) this.failures.inc({ method, reason: failure });
  }
}
