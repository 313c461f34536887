import { hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '../../config/environment';
import {
  CanonicalText,
  canonicalize,
  canonicalObject,
  inputDigest as inputDigestOf,
} from '../../kernel/canonical-json';
import { InvalidInput } from '../../kernel/errors';
import type { JsonObject, JsonValue } from '../../kernel/json';
import { Tracing } from '../../tracing/tracing';
import type { Asker } from '../../kernel/actor';
import { ApprovalEnqueued } from '../approval-events';
import { ApprovalStore, type Enqueued, type NewApproval } from '../approval-store';
import { RateLimits, type CountedAsk } from '../../access/rate-limits';

export type { Enqueued } from '../approval-store';

/** A longer input is written, digested and stored in event loop turns of its own. */
const CHARACTERS_IN_A_TURN = 64 * 1024;

/** The caller's body; absent members are null. */
export interface EnqueueBody {
  readonly agentId: string;
  readonly sessionId: string;
  readonly toolName: string;
  readonly toolInput: JsonObject;
  readonly toolUseId?: string | null | undefined;
  readonly summary?: string | null | undefined;
  readonly cwd?: string | null | undefined;
  readonly timeoutSeconds?: number | null | undefined;
  readonly metadata?: JsonObject | null | undefined;
}

/**
 * Asks the operators; answers with the stored approval.
 *
 * `held`: the caller holds its connection open for the answer. A replay of the idempotency key must then have the same
 * tool, input and directory; otherwise the same whole body.
 */
export class EnqueueApprovalCommand extends Command<Enqueued> {
  constructor(
    readonly body: EnqueueBody,
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
    const { body, idempotencyKey, correlationId, held, connector } = command;
    const { keyId, owner } = command.asker;
    const { agentId, sessionId, toolName, toolInput, toolUseId = null, summary = null, cwd = null } = body;
    const { metadata: given } = body;
    const metadata = given ?? {};
    // Canonicalize the largest part once, for the digests and for the stored text.
    const input = new CanonicalText(canonicalize(toolInput));
    const isLarge = input.text.length > CHARACTERS_IN_A_TURN;
    if (isLarge) await nextTurn();
    const asked = { agentId, cwd, metadata, sessionId, summary, toolInput: input, toolName, toolUseId };
    const text = canonicalObject(asked);
    const inputDigest = inputDigestOf({ toolName, toolInput: input, cwd });
    if (isLarge) await nextTurn();
    const enqueued = await this.ask({
      keyId,
      owner,
      agentId,
      sessionId,
      toolName,
      toolInput,
      toolUseId,
      summary,
      cwd,
      metadata,
      inputDigest,
      text,
      bytes: Buffer.byteLength(text),
      timeoutSeconds: this.timeoutSeconds(body.timeoutSeconds),
      correlationId,
      traceparent: this.tracing.current,
      idempotency:
        idempotencyKey === null
          ? null
          : {
              key: idempotencyKey,
              bodyDigest: held ? bytesOf(inputDigest) : digestOf({ ...body, toolInput: input }),
            },
      held,
      connector,
    });
    if (!enqueued.replayed) this.events.publish(new ApprovalEnqueued(enqueued.approval));
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

/** Digests the sent members: the canonical form leaves out undefined ones. */
function digestOf(members: Readonly<Record<string, JsonValue | CanonicalText | undefined>>): Buffer {
  return hash('sha256', canonicalObject(members), 'buffer');
}
