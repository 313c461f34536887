import { randomUUID } from 'node:crypto';
import { questionsOf, withAnswers } from '../../kernel/questions';
import { isQuestion } from '../../kernel/question-tools';
import { ReceiptRefused } from '../../receipts/verify-receipt';
import { QUESTION_ADVICE } from '../../agents/answers';
import type { CountersignClient } from '../client';
import type { Approval } from '../client/approval-wire';
import { ServiceRefused, ServiceUnreachable } from '../client/service-errors';
import { denialOf, failureOf, noteWith } from './denials';
import type { Grants, PlacedCall } from './grants';
import type { SessionFiles } from './session-files';

export interface GateSettings {
  readonly client: CountersignClient;
  readonly sessions: SessionFiles;
  readonly agentId: string;
  readonly sessionId: string;
  readonly timeoutSeconds: number | undefined;
  readonly grants: Grants;
  /** Answers the agent in its protocol. Called once for every call. */
  readonly reply: (requestId: string, answer: GateAnswer, call: PlacedCall) => void;
  readonly report: (event: GateEvent) => void;
}

/** The answer to a call, with a person's note to the model; `retracted` if the agent no longer wants one. */
export type GateAnswer =
  | { readonly kind: 'allowed'; readonly note: string | null }
  | { readonly kind: 'denied'; readonly message: string }
  | { readonly kind: 'retracted' };

/** Event to report at the terminal. */
export type GateEvent =
  | { readonly kind: 'asked' | 'joined'; readonly approval: Approval }
  | { readonly kind: 'allowed'; readonly approval: Approval }
  | { readonly kind: 'denied'; readonly toolName: string; readonly message: string }
  | { readonly kind: 'retracted'; readonly approval: Approval | null; readonly why: string }
  | { readonly kind: 'trouble'; readonly message: string };

type Verdict =
  | { readonly allow: true; readonly approval: Approval }
  | { readonly allow: false; readonly approval: Approval | null; readonly message: string };

/** The approval's single use was claimed before. */
class UsedBefore extends Error {}

const SAME_ID = 'the agent gave two calls the same id';

/** Time limit for finding a request that must be cancelled. */
const RETRACT_WITHIN_MS = 10_000;

/**
 * Asks the operators for every tool call separately. A tool is allowed if its request was approved, the receipt
 * confirms that for exactly this call, and the approval was not used before. Anything else is a denial.
 */
export class ToolGate {
  /** Open calls by the agent's id: a gate serves one process and one session, so ids do not collide. */
  private readonly open = new Map<string, AbortController>();
  private readonly underWay = new Set<Promise<void>>();
  /** Reasons of the denials, by tool use id. */
  readonly denials = new Map<string, string>();

  constructor(private readonly settings: GateSettings) {}

  /** Answers asynchronously. Denies two open calls with the same id, since an answer could reach the wrong one. */
  ask(requestId: string, call: PlacedCall): void {
    if (this.open.has(requestId)) {
      this.retract(requestId, SAME_ID);
      this.deny(requestId, call, failureOf(SAME_ID));
      return;
    }
    const stop = new AbortController();
    this.open.set(requestId, stop);
    this.follow(this.answer(requestId, call, stop.signal));
  }

  /** Cancels the request of a call that the agent no longer wants. */
  retract(requestId: string, why = 'the agent took the call back'): void {
    this.open.get(requestId)?.abort(why);
  }

  /** Cancels all open requests after the agent has ended. Resolves when each cancellation succeeded or failed. */
  async close(why: string): Promise<void> {
    for (const requestId of this.open.keys()) this.retract(requestId, why);
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  private async answer(requestId: string, call: PlacedCall, signal: AbortSignal): Promise<void> {
    const verdict = await this.verdictOn(call, signal);
    const retracted = signal.aborted;
    this.open.delete(requestId);
    if (retracted) {
      this.settings.reply(requestId, { kind: 'retracted' }, call);
      this.settings.report({ kind: 'retracted', approval: verdict.approval, why: String(signal.reason) });
    } else if (verdict.allow) {
      const answers = verdict.approval.decision?.answers;
      const input = answers ? withAnswers(call.toolInput, answers) : call.toolInput;
      const reply = { kind: 'allowed', note: noteWith(verdict.approval) } as const;
      this.settings.reply(requestId, reply, { ...call, toolInput: input });
      this.settings.report({ kind: 'allowed', approval: verdict.approval });
    } else {
      this.deny(requestId, call, verdict.message);
    }
    const { approval } = verdict;
    if (approval !== null && approval.status !== 'pending') {
      this.follow(this.acknowledge(approval, retracted ? 'gone' : 'resumed'));
    }
  }

  private deny(requestId: string, call: PlacedCall, message: string): void {
    const { toolName, toolUseId } = call;
    if (toolUseId !== null) this.denials.set(toolUseId, message);
    this.settings.reply(requestId, { kind: 'denied', message }, call);
    this.settings.report({ kind: 'denied', toolName, message });
  }

  /** Never rejects: every failure is a denial. */
  private async verdictOn(call: PlacedCall, signal: AbortSignal): Promise<Verdict> {
    if (isQuestion(call) && questionsOf(call) === null)
      return { allow: false, approval: null, message: failureOf(QUESTION_ADVICE) };
    try {
      for (let left = this.settings.grants.take(call); left; left = this.settings.grants.take(call)) {
        this.settings.report({ kind: 'joined', approval: left });
        const verdict = await this.awaitVerdict(left, call, signal).catch(askAnewIfUnusable);
        if (verdict !== null) return verdict;
      }
      return await this.awaitVerdict(await this.enqueue(call, signal), call, signal);
    } catch (error) {
      return { allow: false, approval: null, message: failureOf(this.reasonOf(error)) };
    }
  }

  private async enqueue(call: PlacedCall, signal: AbortSignal): Promise<Approval> {
    const { client, agentId, sessionId, timeoutSeconds } = this.settings;
    const { toolName, toolInput, toolUseId, cwd, summary, metadata } = call;
    const ask = {
      ...{ agentId, sessionId, toolName, toolInput, cwd },
      ...(summary === undefined ? {} : { summary }),
      ...(metadata === undefined ? {} : { metadata }),
      ...(toolUseId === null ? {} : { toolUseId }),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    };
    // A random key, since an agent may give two calls the same id.
    const idempotencyKey = randomUUID();
    try {
      const approval = await client.enqueue(ask, { idempotencyKey, signal });
      this.settings.report({ kind: 'asked', approval });
      return approval;
    } catch (error) {
      // The service may have stored the request all the same: the key finds it, so that it can be cancelled.
      if (!signal.aborted) throw error;
      const within = AbortSignal.timeout(RETRACT_WITHIN_MS);
      return client.enqueue(ask, { idempotencyKey, signal: within });
    }
  }

  /**
   * @throws ReceiptRefused or UsedBefore for an approval that allows nothing, and the client's errors.
   */
  private async awaitVerdict(asked: Approval, call: PlacedCall, signal: AbortSignal): Promise<Verdict> {
    const { client, sessions, agentId, sessionId } = this.settings;
    let settled: Approval;
    try {
      settled = await client.settled(asked, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      return { allow: false, approval: await this.takeBack(asked, signal), message: '' };
    }
    if (settled.status !== 'approved') return { allow: false, approval: settled, message: denialOf(settled) };
    try {
      const answers = settled.decision?.answers;
      const use = { agentId, sessionId, action: call, ...(answers && { answers }) };
      await client.verify(settled, use, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    // Do not claim the approval for an agent that is gone.
    if (signal.aborted) return { allow: false, approval: settled, message: '' };
    if (!(await sessions.claim(sessionId, settled.id))) throw new UsedBefore('the approval was used before');
    return { allow: true, approval: settled };
  }

  /** @returns the request's state after the attempt to cancel it; pending if the attempt failed. */
  private async takeBack(asked: Approval, signal: AbortSignal): Promise<Approval> {
    try {
      return await this.settings.client.cancel(asked.id, String(signal.reason));
    } catch (error) {
      if (error instanceof ServiceRefused && error.approval) return error.approval;
      this.settings.report({
        kind: 'trouble',
        message: `a request could not be cancelled: ${this.reasonOf(error)}`,
      });
      return asked;
    }
  }

  private async acknowledge(approval: Approval, outcome: 'resumed' | 'gone'): Promise<void> {
    if (approval.status === 'cancelled' && outcome === 'gone') return; // the operators already see the cancellation
    try {
      await this.settings.client.acknowledge(approval.id, outcome);
    } catch (error) {
      this.settings.report({
        kind: 'trouble',
        message: `the operators could not be told: ${this.reasonOf(error)}`,
      });
    }
  }

  /** Text for the model: only the messages of known errors are meant for it. The terminal gets the detail of others. */
  private reasonOf(error: unknown): string {
    if (error instanceof ServiceUnreachable) return `the service cannot be reached (${error.message})`;
    if (isMeantForModel(error)) return error.message.replace(/\.$/, '');
    this.settings.report({ kind: 'trouble', message: `an unexpected error: ${String(error)}` });
    return 'something went wrong in countersign; its terminal shows what';
  }

  private follow(work: Promise<void>): void {
    const done = work.finally(() => this.underWay.delete(done));
    this.underWay.add(done);
  }
}

function askAnewIfUnusable(error: unknown): null {
  if (error instanceof UsedBefore || error instanceof ReceiptRefused) return null;
  throw error;
}

function isMeantForModel(error: unknown): error is Error {
  return error instanceof ServiceRefused || error instanceof ReceiptRefused || error instanceof UsedBefore;
}
