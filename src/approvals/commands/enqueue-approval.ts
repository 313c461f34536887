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
import type { Asker } from '../approval';
import { ApprovalEnqueued } from '../approval-events';
import { ApprovalStore, type Enqueued, type NewApproval } from '../approval-store';
import { RateLimits } from '../rate-limits';

export type { Enqueued } from '../approval-store';

/** An input that is longer is written, digested and stored in turns of its own. */
const CHARACTERS_IN_A_TURN = 64 * 1024;

/** What the caller sent; absent members are null. */
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
 * Asks the operators; answers once the request is stored, with what stands.
 *
 * `held`: the caller holds its connection open for the answer. Then only what would be done must be equal when the
 * idempotency key comes again, else all of the body.
 */
export class EnqueueApprovalCommand extends Command<Enqueued> {
  constructor(
    readonly body: EnqueueBody,
    readonly asker: Asker,
    readonly idempotencyKey: string | null,
    readonly correlationId: string,
    readonly held = false,
    /** Whose reports are about it later; null: REST. */
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
    // The largest part is written once, for the digests and for what is stored.
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

  /** A repetition is no new request: it does not count, and is answered beyond the limit too, since it waits on. */
  private async ask(request: NewApproval): Promise<Enqueued> {
    try {
      await this.limits.ask(request.keyId, request.bytes);
    } catch (error) {
      const earlier = await this.store.replay(request);
      if (earlier) return earlier;
      throw error;
    }
    const { keyId, bytes } = request;
    try {
      const enqueued = await this.store.enqueue(request);
      if (enqueued.replayed) await this.limits.giveBack(keyId, bytes);
      return enqueued;
    } catch (error) {
      await this.limits.giveBackBytes(keyId, bytes);
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

/** Of what was sent: the canonical form leaves members out that are undefined. */
function digestOf(members: Readonly<Record<string, JsonValue | CanonicalText | undefined>>): Buffer {
  return hash('sha256', canonicalObject(members), 'buffer');
}
