import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { Heartbeat } from '../database/heartbeat';
import { NotificationListener } from '../database/notification-listener';
import { Clock } from '../kernel/clock';
import { isQuestion } from '../kernel/question-tools';
import type { PolicyVerdict } from '../kernel/policy-verdict';
import type { Requirement } from '../kernel/requirement';
import type { Chain } from '../kernel/chain';
import type { Roster } from '../people/roster';
import type { Rota } from '../people/rota';
import { singleFlight } from '../kernel/single-flight';
import { runInTurns } from '../kernel/run-in-turns';
import { FailureLog } from '../logging/failure-log';
import { Log } from '../logging/log';
import { readStored } from './document/read-policy';
import {
  compileInSteps,
  compilePolicy,
  type CompiledPolicy,
  type CompiledRule,
} from './evaluation/compile-policy';
import { evaluate, restricts, type Ruling } from './evaluation/evaluate';
import type { PolicyRequest } from './evaluation/policy-request';
import { PolicyJudged } from './policy-events';
import { OpenGrants, type OpenGrant } from './grants/open-grants';
import { PolicyFile } from './policy-file';
import { POLICY_CHANNEL, PolicyStore, type PolicyState } from './policy-store';
import { AGENT_TOOLS, type ToolShapes } from './tool-shapes';

/** The safety net under NOTIFY: a change counts on every replica within a second. */
const POLL_MS = 500;

/** The ruling of the active version about one request, and the time for an answer that its class gives. */
export interface Judgement {
  /** Null: no policy is active. */
  readonly verdict: PolicyVerdict | null;
  /** Null: the timeout of the installation. */
  readonly timeoutMs: number | null;
  /** The decisions that the request needs; null: one of any operator. */
  readonly required: Requirement | null;
  /** Those who are asked one after the other; null: the one destination of the installation. */
  readonly chain: Chain | null;
  /** The grant that answers the request; null: the verdict counts. */
  readonly grant: OpenGrant | null;
}

const ASKED: Judgement = { verdict: null, timeoutMs: null, required: null, chain: null, grant: null };

/**
 * Holds the active policy of this replica, compiled. A stale version harms nothing: the statement that stores an answer of
 * a rule demands that its version is still active.
 */
@Injectable()
export class ActivePolicy implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  private current: CompiledPolicy | null = null;
  /** The rules of no document, for installations without a policy. */
  private readonly none: CompiledPolicy;
  /** The policy with the rules of a grant, each made once. */
  private extended = new WeakMap<readonly CompiledRule[], CompiledPolicy>();
  private stop: PolicyState['stopped'] = null;
  private poll: NodeJS.Timeout | null = null;
  private readonly failures: FailureLog;

  constructor(
    private readonly store: PolicyStore,
    private readonly file: PolicyFile,
    private readonly listener: NotificationListener,
    private readonly heartbeat: Heartbeat,
    private readonly grants: OpenGrants,
    @Inject(AGENT_TOOLS) private readonly shapes: ToolShapes,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.none = compilePolicy({ policy: { version: 1, rules: [] }, version: '' }, shapes);
    this.failures = new FailureLog(
      log,
      {
        event: 'policy.unreadable',
        message: 'the policy cannot be read; the last version that was read is used',
      },
      { event: 'policy.readable', message: 'the policy can be read again' },
    );
  }

  /** @throws Error if the active version cannot be enforced: the service must not start without it. */
  async onModuleInit(): Promise<void> {
    await this.file.apply();
    await this.read();
  }

  onApplicationBootstrap(): void {
    const refresh = () => void this.refresh();
    this.listener.listen(POLICY_CHANNEL, { notified: refresh, connected: refresh });
    this.poll = setInterval(refresh, POLL_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.poll) clearInterval(this.poll);
    await this.refresh.current();
  }

  /** The version that this replica enforces; null: none. */
  get version(): string | null {
    return this.current?.version ?? null;
  }

  /** Set while all rules that allow are suspended. */
  get stopped(): PolicyState['stopped'] {
    return this.stop;
  }

  /** The people whom the active version names; null: the operators of the installation decide. */
  get people(): Roster | null {
    return this.current?.people ?? null;
  }

  /** The rotas of the active version, by name. */
  get rotas(): ReadonlyMap<string, Rota> {
    return this.current?.rotas ?? new Map<string, Rota>();
  }

  /** The lanes that the destinations of the active version name. */
  get lanes(): readonly string[] {
    return this.current?.lanes ?? [];
  }

  /** Judges a request that will be stored. */
  async judge(request: PolicyRequest, inputDigest: string): Promise<Judgement> {
    if (this.grants.reading) await this.grants.reading;
    const startedAt = this.clock.monotonicMs();
    const judged = this.evaluate(request);
    const verdict = judged?.verdict ?? null;
    const grant =
      this.mayGrant(verdict) && !isQuestion(request)
        ? (this.grants
            .of(request, inputDigest)
            .find(
              ({ policyVersion, rules }) => policyVersion === this.version && this.allows(rules, request),
            ) ?? null)
        : null;
    if (verdict === null && grant === null) return ASKED;
    const seconds = (this.clock.monotonicMs() - startedAt) / 1000;
    this.events.publish(judgedOf(verdict, grant, seconds));
    return {
      verdict,
      timeoutMs: judged?.timeoutMs ?? null,
      required: judged?.required ?? null,
      chain: judged?.chain ?? null,
      grant,
    };
  }

  /** Evaluates a request without grants and without a trace; null: no policy is active. */
  evaluate(
    request: PolicyRequest,
  ): (Pick<Judgement, 'timeoutMs' | 'required' | 'chain'> & { readonly verdict: PolicyVerdict }) | null {
    if (this.current === null) return null;
    const { shadow, ...ruling } = evaluate(this.current, request, this.clock.now());
    const { version } = ruling;
    const asked = ruling.decision === 'allow' ? this.askedInstead(request) : null;
    // Whatever is asked instead is of the class normal.
    const { timeoutMs, required, needsReason, chain, claimMs, maximumMs } =
      (asked && this.current.classes.get('normal')) ?? ruling;
    const verdict: PolicyVerdict = {
      ...(asked ?? verdictOf(ruling)),
      version,
      shadow: shadow && verdictOf(shadow),
      ...(needsReason && { needsReason }),
      ...(claimMs !== null && { claimSeconds: claimMs / 1000 }),
      ...(maximumMs !== null && { maximumSeconds: maximumMs / 1000 }),
    };
    return { verdict, timeoutMs, required, chain };
  }

  /** True if a rule has a say about this call of a tool that only reads. */
  restricts(request: PolicyRequest): boolean {
    return this.current !== null && restricts(this.current, request, this.clock.now());
  }

  /** The verdict in place of a rule that allows; null: the rule counts. */
  private askedInstead(request: PolicyRequest): typeof SUSPENDED | null {
    if (this.stopped !== null) return SUSPENDED;
    return isQuestion(request) ? UNANSWERED : null;
  }

  /**
   * True if a grant may answer a request with this verdict now: no rule answers it or asks about it, it is of the class
   * normal of the version that is still active, that class has grants, and nobody has stopped them.
   */
  mayGrant(verdict: PolicyVerdict | null): boolean {
    if (this.stop !== null || (verdict?.version ?? null) !== this.version) return false;
    if (verdict === null) return true;
    const { decision, rules, class: name } = verdict;
    const isNormal = decision === 'ask' && rules.length === 0 && name === 'normal';
    return isNormal && this.current?.classes.get(name)?.grants === true;
  }

  /**
   * True if a person may decide a request with this verdict together with others, by one tap: its class demands no more, in the
   * version that judged it.
   */
  mayDecideTogether(verdict: PolicyVerdict | null): boolean {
    if ((verdict?.version ?? null) !== this.version) return false;
    return verdict === null || this.current?.classes.get(verdict.class ?? 'normal')?.together === true;
  }

  /** True if the active policy would allow the request with these rules of a grant. */
  allows(rules: readonly CompiledRule[], request: PolicyRequest): boolean {
    const known = this.extended.get(rules) ?? (this.current ?? this.none).with(rules);
    this.extended.set(rules, known);
    return evaluate(known, request, this.clock.now()).decision === 'allow';
  }

  /** Reads the state now; a call during a read joins it. Never rejects. */
  readonly refresh = singleFlight(() =>
    this.read().then(
      () => this.failures.succeed(),
      (error: unknown) => this.failures.fail(error),
    ),
  );

  private async read(): Promise<void> {
    const { version, stopped } = await this.store.state();
    if ((stopped === null) !== (this.stop === null)) this.logStop(stopped);
    this.stop = stopped;
    if (version === this.version) return;
    this.current = version === null ? null : await this.compile(version);
    this.heartbeat.policyVersion = version;
    this.extended = new WeakMap();
    const people = this.people?.size ?? null;
    this.log.event(
      'info',
      'policy.active',
      { version, people },
      'this replica enforces another policy version',
    );
  }

  private logStop(stopped: PolicyState['stopped']): void {
    if (stopped) {
      const fields = { by: stopped.by, at: stopped.at };
      this.log.event('warn', 'policy.stopped', fields, 'the rules that allow are stopped: everything asks');
    } else this.log.event('info', 'policy.resumed', {}, 'the rules allow again');
  }

  private async compile(version: string): Promise<CompiledPolicy> {
    const found = await this.store.find(version);
    if (!found) throw new Error(`the policy version ${version} is active and not stored`);
    return runInTurns(compileInSteps({ policy: readStored(found.document), version }, this.shapes));
  }
}

function judgedOf(verdict: PolicyVerdict | null, grant: OpenGrant | null, seconds: number): PolicyJudged {
  if (grant) return new PolicyJudged('allow', 'grant', null, seconds);
  const source = verdict && verdict.rules.length > 0 ? 'rule' : 'default';
  return new PolicyJudged(verdict?.decision ?? 'ask', source, verdict?.doubt?.reason ?? null, seconds);
}

const SUSPENDED: Omit<PolicyVerdict, 'version' | 'shadow'> = {
  decision: 'ask',
  rules: [],
  class: 'normal',
  tokens: [],
  say: null,
  doubt: { reason: 'stopped', words: 'a person has stopped the rules that allow' },
};

/** No rule has the answer to a question. */
const UNANSWERED: typeof SUSPENDED = {
  ...SUSPENDED,
  doubt: { reason: 'question', words: 'a rule cannot answer a question' },
};

function verdictOf({
  decision,
  rules,
  class: name,
  tokens,
  say,
  doubt,
}: Ruling): Omit<PolicyVerdict, 'version' | 'shadow'> {
  return { decision, rules, class: name, tokens, say, doubt };
}
