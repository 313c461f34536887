import { Inject } from '@nestjs/common';
import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '../../config/environment';
import { DomainError, InvalidInput } from '../../kernel/errors';
import { needsPasskey, type Requirement } from '../../kernel/requirement';
import { isQuestion } from '../../kernel/question-tools';
import { Tracing } from '../../tracing/tracing';
import type { Actor, Asker } from '../../kernel/actor';
import type { PolicyVerdict } from '../../kernel/policy-verdict';
import { ActivePolicy, type Judgement } from '../../policy/active-policy';
import type { Chain } from '../../kernel/chain';
import { OpenGrants } from '../../policy/grants/open-grants';
import { grantActor } from '../grant-actor';
import { Receipts } from '../../receipts/receipts';
import { ApprovalEnqueued, ApprovalSettled, ChainBegun } from '../approval-events';
import { ApprovalStore, type NewApproval, type Unjudged } from '../approval-store';
import type { Enqueued, NewRequest, RuledEnding } from '../new-request';
import { policyRequestOf } from '../policy-request-of';
import { RateLimits, type CountedAsk } from '../../access/rate-limits';

export type { Enqueued } from '../new-request';

/** Attempts to store the answer of a rule, whose version another change may replace meanwhile. */
const MAX_TRIES = 3;

/**
 * Asks the operators, unless a rule answers; answers with the part of the stored approval that its caller does not know.
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
    private readonly policy: ActivePolicy,
    private readonly grants: OpenGrants,
    private readonly receipts: Receipts,
    private readonly limits: RateLimits,
    private readonly events: EventBus,
    private readonly tracing: Tracing,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  execute(command: EnqueueApprovalCommand): Promise<Enqueued> {
    return this.tracing.begin('approval.enqueue', {}, () => this.enqueue(command));
  }

  private async enqueue(command: EnqueueApprovalCommand): Promise<Enqueued> {
    const { request, asker, correlationId } = command;
    const enqueued = await this.counted(this.unjudged(command), (unjudged) => this.ask(command, unjudged));
    if (enqueued.replayed) return enqueued;
    const { approval, ending } = enqueued;
    const { agentId, toolName } = request.body;
    const asked = { id: approval.id, correlationId, keyId: asker.keyId, agentId, toolName };
    this.events.publish(new ApprovalEnqueued(asked));
    if (ending) this.events.publish(new ApprovalSettled({ ...approval, ...ending }));
    return enqueued;
  }

  /** Stores the request: settled if a rule answers it, else pending. */
  private async ask(command: EnqueueApprovalCommand, unjudged: Unjudged): Promise<Enqueued> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const { request, asker, connector } = command;
      const judged = await this.policy.judge(
        policyRequestOf(request.body, asker, connector),
        request.inputDigest,
      );
      const { verdict, timeoutMs, required, chain, grant } = judged;
      if (grant === null && (verdict === null || verdict.decision === 'ask'))
        return this.enqueueChain(chain, {
          ...unjudged,
          timeoutSeconds: within(unjudged.timeoutSeconds, timeoutMs),
          verdict,
          required: isQuestion(request.body) ? ofOne(required) : required,
        });
      const ending = (id: string, settledAt: Date) => this.sign(command, judged, id, settledAt);
      const ruled = await this.store.enqueueRuled({
        ...unjudged,
        verdict,
        required: null,
        chain: null,
        grantId: grant?.id ?? null,
        ending,
      });
      if (ruled) return ruled;
      await Promise.all([this.policy.refresh(), this.grants.refresh()]);
    }
    throw new DomainError('database.unavailable', 'The rules changed each time; try again shortly.');
  }

  private async enqueueChain(chain: Chain | null, request: Omit<NewApproval, 'chain'>): Promise<Enqueued> {
    const enqueued = await this.store.enqueue({ ...request, chain });
    if (chain !== null) this.events.publish(new ChainBegun());
    return enqueued;
  }

  /** The ending that a rule or a grant gives. @throws DomainError `receipt.unavailable` */
  private async sign(
    { request, asker }: EnqueueApprovalCommand,
    { verdict, grant }: Judgement,
    id: string,
    settledAt: Date,
  ): Promise<RuledEnding> {
    const { agentId, sessionId, toolName } = request.body;
    const { keyId, owner } = asker;
    const isAllowed = grant !== null || verdict?.decision === 'allow';
    const ending = {
      status: isAllowed ? ('approved' as const) : ('rejected' as const),
      settledAt,
      decision: grant
        ? { by: grantActor(grant), reason: null }
        : { by: ruleActor(verdict), reason: verdict?.say ?? null },
      acknowledged: null,
    };
    const { inputDigest } = request;
    const approval = {
      id,
      keyId,
      owner,
      agentId,
      sessionId,
      toolName,
      inputDigest,
      policy: verdict,
      ...(grant && { grant }),
      ...ending,
    };
    return { ...ending, receipt: await this.receipts.sign({ approval, displayDigest: null }) };
  }

  private unjudged(command: EnqueueApprovalCommand): Unjudged {
    const { request, asker, idempotencyKey: key, correlationId, held, connector } = command;
    const { keyId, owner } = asker;
    const { body, text, bytes, inputDigest } = request;
    const { agentId, sessionId } = body;
    const bodyDigest = () => (held ? bytesOf(inputDigest) : request.bodyDigest());
    return {
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
    };
  }

  /**
   * Applies the rate limits. A replay does not count, and is answered beyond the limit too, because its caller only
   * waits on.
   */
  private async counted(request: Unjudged, ask: (request: Unjudged) => Promise<Enqueued>): Promise<Enqueued> {
    let counted: CountedAsk;
    try {
      counted = await this.limits.ask(request.keyId, request.bytes);
    } catch (error) {
      const earlier = await this.store.replay(request);
      if (earlier) return earlier;
      throw error;
    }
    try {
      const enqueued = await ask(request);
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

function ruleActor(verdict: PolicyVerdict | null): Actor {
  return { kind: 'policy', version: verdict?.version ?? '', rule: verdict?.rules[0] ?? '' };
}

function bytesOf(digest: string): Buffer {
  return Buffer.from(digest.replace(/^sha256:/, ''), 'hex');
}

/** The timeout of the class limits the one that the caller asked for. */
function within(seconds: number, classMs: number | null): number {
  return classMs === null ? seconds : Math.min(seconds, Math.max(1, Math.floor(classMs / 1000)));
}

/** An answer cannot be composed of two, but the groups count, and where a passkey must sign, nobody answers: it signs no answers. */
function ofOne(required: Requirement | null): Requirement | null {
  return required && (required.from.length > 0 || needsPasskey(required))
    ? { ...required, approvals: 1, rejections: 1 }
    : null;
}
