import { Injectable } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import type { Identity } from '../access/identity';
import { answerUnder } from '../http/correlation-header';
import { openEventStream } from '../http/event-stream';
import { Heartbeats } from '../http/heartbeats';
import { UnreadAnswers } from '../http/unread-answers';
import { DomainError } from '../kernel/errors';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import type { Approval } from './approval';
import { viewOf } from './approval-view';
import { FinishedApprovals } from './finished-approvals';
import { AwaitSettlementQuery } from './queries/await-settlement';
import type { Viewer } from '../kernel/viewer';

const eventOf = (approval: Approval) => `event: approval\ndata: ${JSON.stringify(viewOf(approval))}\n\n`;

/** Sends one approval as server-sent events: the current state, the settled state, then the end. */
@Injectable()
export class ApprovalStream {
  constructor(
    private readonly queries: QueryBus,
    private readonly finished: FinishedApprovals,
    private readonly heartbeats: Heartbeats,
    private readonly unread: UnreadAnswers,
    private readonly log: Log,
  ) {}

  /** @throws DomainError `approval.not-found`, before anything is sent. */
  async send(
    id: string,
    viewer: Viewer,
    { caller, gone }: { readonly caller: Identity; readonly gone: AbortSignal },
    reply: FastifyReply,
  ): Promise<void> {
    const status = await this.begin(id, viewer, gone, reply);
    if (status === 'pending') await this.follow(id, viewer, caller, reply.raw, gone);
    reply.raw.end();
  }

  /** Separate from `follow`, so that a waiting stream does not keep the sent approval in memory. */
  private async begin(
    id: string,
    viewer: Viewer,
    gone: AbortSignal,
    reply: FastifyReply,
  ): Promise<Approval['status']> {
    const { approval } = await this.finished.get(id, viewer, gone);
    answerUnder(approval.correlationId, reply);
    this.unread.write(openEventStream(reply), eventOf(approval));
    return approval.status;
  }

  private async follow(
    id: string,
    viewer: Viewer,
    { standing }: Identity,
    out: FastifyReply['raw'],
    gone: AbortSignal,
  ): Promise<void> {
    // Unread data in the connection keeps it alive as well, so a beat is not needed.
    const stopBeating = this.heartbeats.start(() => {
      if (!out.writableNeedDrain) out.write(': still pending\n\n');
    });
    try {
      const approval = await this.queries.execute(new AwaitSettlementQuery(id, viewer, Infinity, gone, gone));
      // Null means that the caller or its key is gone, or this replica stops; the caller reconnects.
      if (approval === null) return;
      await standing.confirm();
      this.unread.write(out, eventOf(approval));
    } catch (error) {
      if (gone.aborted) return;
      // The reader may not see it any more: whoever reconnects is told so.
      if (error instanceof DomainError && error.code === 'approval.not-found') return;
      // The stream ends without a settled event: the caller reconnects and asks again.
      this.log.event('warn', 'stream.failed', { error: describeError(error) }, 'an event stream ended early');
    } finally {
      stopBeating();
    }
  }
}
