import { nameActor } from '../kernel/actor';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { currentCorrelationId } from '../logging/correlation';
import { Log } from '../logging/log';
import { Tracing } from '../tracing/tracing';
import type { Settlement } from './approval';
import {
  ApprovalClaimed,
  ApprovalEnqueued,
  ApprovalExtended,
  ApprovalSettled,
  DecisionCounted,
} from './approval-events';

/** Logs and traces the beginning and the end of every approval, under the correlation id of the request that asked. */
@Injectable()
export class ApprovalLog implements OnModuleInit {
  constructor(
    private readonly events: EventBus,
    private readonly log: Log,
    private readonly tracing: Tracing,
  ) {}

  onModuleInit(): void {
    this.events.subscribe((event) => {
      if (event instanceof ApprovalEnqueued) this.enqueued(event.approval);
      else if (event instanceof ApprovalSettled) this.settled(event.approval);
      else if (event instanceof DecisionCounted) this.counted(event);
      else if (event instanceof ApprovalClaimed) this.claimed(event);
      else if (event instanceof ApprovalExtended) this.extended(event);
    });
  }

  private enqueued({ id: approvalId, ...asked }: ApprovalEnqueued['approval']): void {
    const { correlationId, keyId, agentId, toolName } = asked;
    const fields = { correlationId, approvalId, keyId, agentId, toolName };
    this.log.event('info', 'approval.enqueued', fields, 'an agent asks for approval');
  }

  private counted({ approvalId, verdict, by }: DecisionCounted): void {
    const fields = { approvalId, verdict, by: `${by.channel}:${by.id}` };
    this.log.event('info', 'approval.counted', fields, 'a person decided, and more people must');
  }

  private claimed({
    approval: { id: approvalId, correlationId, createdAt },
    by,
    kind,
    at,
  }: ApprovalClaimed): void {
    const seconds = (at.getTime() - createdAt.getTime()) / 1000;
    const fields = { correlationId, approvalId, by: `${by.channel}:${by.id}`, seconds };
    this.log.event('info', `approval.${kind}`, fields, 'a person is on a request; it is not decided');
  }

  private extended({ approvalId, by, seconds }: ApprovalExtended): void {
    const fields = { approvalId, by: `${by.channel}:${by.id}`, seconds };
    this.log.event('info', 'approval.extended', fields, 'a person gave a request more time');
  }

  private settled(approval: Settlement): void {
    const { id: approvalId, correlationId, status, createdAt, settledAt } = approval;
    const { kind, id } = nameActor('decision' in approval ? approval.decision.by : approval.by);
    const cause = currentCorrelationId();
    const fields = {
      correlationId,
      approvalId,
      status,
      by: `${kind}:${id}`,
      seconds: (settledAt.getTime() - createdAt.getTime()) / 1000,
      // A decision by API is a request of its own, with another correlation id.
      ...(kind === 'api' && cause !== correlationId ? { causedBy: cause } : {}),
    };
    // The span of the time that people take to decide.
    this.tracing.past(approval.traceparent, 'approval.pending', createdAt, settledAt, {
      'approval.id': approvalId,
      'approval.status': status,
    });
    this.log.event('info', 'approval.settled', fields, `the approval is ${status}`);
  }
}
