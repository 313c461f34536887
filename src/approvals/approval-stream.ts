import { Injectable } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import type { Identity } from '../access/identity';
import { callerGone } from '../http/caller-gone';
import { answerUnder } from '../http/correlation-header';
import { openEventStream } from '../http/event-stream';
import { Heartbeats } from '../http/heartbeats';
import { describeError, Log } from '../logging/log';
import type { Approval } from './approval';
import { viewOf } from './approval-view';
import { AwaitSettlementQuery } from './queries/await-settlement';
import { GetApprovalQuery, type Viewer } from './queries/get-approval';

const eventOf = (approval: Approval) => `event: approval\ndata: ${JSON.stringify(viewOf(approval))}\n\n`;

/** One approval as server-sent events: as it stands, then settled, then the end. */
@Injectable()
export class ApprovalStream {
  constructor(
    private readonly queries: QueryBus,
    private readonly heartbeats: Heartbeats,
    private readonly log: Log,
  ) {}

  /** @throws DomainError `approval.not-found`, before anything is sent. */
  async send(id: string, viewer: Viewer, caller: Identity, reply: FastifyReply): Promise<void> {
    const { approval } = await this.queries.execute(new GetApprovalQuery(id, viewer));
    const gone = callerGone(reply, caller);
    answerUnder(approval.correlationId, reply);
    const out = openEventStream(reply);
    out.write(eventOf(approval));
    if (approval.status === 'pending') await this.follow(id, viewer, caller, out, gone);
    out.end();
  }

  private async follow(
    id: string,
    viewer: Viewer,
    { standing }: Identity,
    out: FastifyReply['raw'],
    gone: AbortSignal,
  ): Promise<void> {
    const stopBeating = this.heartbeats.start(() => out.write(': still pending\n\n'));
    try {
      const approval = await this.queries.execute(new AwaitSettlementQuery(id, viewer, Infinity, gone));
      // Still pending means that the caller or its key is gone, or this replica stops; the caller reconnects.
      if (approval.status === 'pending') return;
      await standing.confirm();
      out.write(eventOf(approval));
    } catch (error) {
      // The stream ends without a settled event: the caller reconnects and asks again.
      this.log.event('warn', 'stream.failed', { error: describeError(error) }, 'an event stream ended early');
    } finally {
      stopBeating();
    }
  }
}
