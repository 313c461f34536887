import { Inject } from '@nestjs/common';
import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '../../config/environment';
import { InvalidInput } from '../../kernel/errors';
import { Tracing } from '../../tracing/tracing';
import type { Asker } from '../../kernel/actor';
import { ApprovalEnqueued } from '../approval-events';
import { ApprovalStore, type Enqueued, type NewApproval } from '../approval-store';
import type { NewRequest } from '../new-request';
import { RateLimits, type CountedAsk } from '../../access/rate-limits';

export type { Enqueued } from '../approval-store';

/**
 * Asks the operators; answers with the part of the stored approval that its caller does not know.
 *
 * `held`: the caller holds its connection open for the answer. A replay of the idempotency key must then have the same
 * tool, input and directory; otherwise the same whole body.
 */
export class EnqueueApprovalCommand extends Command<Enqueued> {
  constructor(
    readonly request: NewRequest,
    readonly asker: Asker,
    readonly idempotencyKey: string | null,
    readonly correlationId: string,
    readonly held = false,
    /** The connector whose later reports are about this request; null: REST. */
    readonly connector: string | null = null,
  ) {
    super();
  }
}

@CommandHandler(EnqueueApprovalCommand)
export class EnqueueApprovalHandler implements ICommandHandler<EnqueueApprovalCommand> {
  constructor(
    private readonly store: ApprovalStore,
    private readonly limits: RateLimits,
    private readonly events: EventBus,
    private readonly tracing: Tracing,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  execute(command: EnqueueApprovalCommand): Promise<Enqueued> {
    return this.tracing.begin('approval.enqueue', {}, () => this.enqueue(command));
  }

  private async enqueue(command: EnqueueApprovalCommand): Promise<Enqueued> {
    const { request, asker, idempotencyKey: key, correlationId, held, connector } = command;
    const { keyId, owner } = asker;
    const { body, text, bytes, inputDigest } = request;
    const { agentId, sessionId, toolName } = body;
    const bodyDigest = () => (held ? bytesOf(inputDigest) : request.bodyDigest());
    const enqueued = await this.ask({
      keyId,
      owner,
      agentId,
      sessionId,
      text,
      bytes,
      inputDigest,
      timeoutSeconds: this.timeoutSeconds(body.timeoutSeconds),
      correlationId,
      traceparent: this.tracing.current,
      idempotency: key === null ? null : { key, bodyDigest: bodyDigest() },
      held,
      connector,
    });
    const { id } = enqueued.approval;
    if (!enqueued.replayed)
      this.events.publish(new ApprovalEnqueued({ id, correlationId, keyId, agentId, toolName }));
    return enqueued;
  }

  /**
   * Applies the rate limits. A replay does not count, and is answered beyond the limit too, because its caller only
   * waits on.
   */
  private async ask(request: NewApproval): Promise<Enqueued> {
    let counted: CountedAsk;
    try {
      counted = await this.limits.ask(request.keyId, request.bytes);
    } catch (error) {
      const earlier = await this.store.replay(request);
      if (earlier) return earlier;
      throw error;
    }
    try {
      const enqueued = await this.store.enqueue(request);
      if (enqueued.replayed) await counted.giveBack();
      return enqueued;
    } catch (error) {
      await counted.giveBackBytes();
      throw error;
    }
  }

  private timeoutSeconds(asked: number | null | undefined): number {
    const { defaultTimeoutSeconds, maxTimeoutSeconds } = this.config.approvals;
    const seconds = asked ?? defaultTimeoutSeconds;
    if (seconds > maxTimeoutSeconds) {
      throw new InvalidInput([{ path: 'timeoutSeconds', message: `must be at most ${maxTimeoutSeconds}` }]);
    }
    return seconds;
  }
}

function bytesOf(digest: string): Buffer {
  return Buffer.from(digest.replace(/^sha256:/, ''), 'hex');
}
