import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { ApprovalEnqueued, ApprovalSettled } from '../../approvals/approval-events';
import { FailureLog } from '../../logging/failure-log';
import { Log } from '../../logging/log';
import type { Recording } from './metric';
import { PendingEstimate } from './pending-estimate';

/** Injection token of the {@link Recording}s of all metrics. */
export const RECORDINGS = Symbol('recordings');

/**
 * Passes events to the metrics; counts only work of this replica. The bus calls it inside the approval's own path, after
 * COMMIT. It catches all errors, because an unhandled one would end the process.
 */
@Injectable()
export class MetricsRecorder implements OnModuleInit {
  private readonly byEvent = new Map<unknown, Recording[]>();
  private readonly failures: FailureLog;

  constructor(
    private readonly events: EventBus,
    private readonly pending: PendingEstimate,
    log: Log,
    @Inject(RECORDINGS) recordings: readonly Recording[],
  ) {
    this.failures = new FailureLog(log, {
      event: 'metrics.record-failed',
      message: 'metrics miss events; approvals go on',
    });
    for (const each of recordings) this.byEvent.set(each.of, [...(this.byEvent.get(each.of) ?? []), each]);
  }

  /** Not later: the Telegram gateway starts at application bootstrap. */
  onModuleInit(): void {
    this.events.subscribe((event) => this.record(event));
  }

  /** Never throws; logs the first of several errors. */
  record(event: object): void {
    try {
      // First, so that the estimate stays correct even if the metrics fail.
      if (event instanceof ApprovalEnqueued) this.pending.enqueued();
      else if (event instanceof ApprovalSettled) this.pending.settled();
      for (const each of this.byEvent.get(event.constructor) ?? []) each.record(event, this.pending.now);
      this.failures.succeed();
    } catch (error) {
      this.failures.fail(error);
    }
  }
}
