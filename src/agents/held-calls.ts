import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { CommandBus, EventBus, QueryBus } from '@nestjs/cqrs';
import { actorOf, type Identity } from '../access/identity';
import {
  AlreadyAcknowledged,
  FIRST_HOLD,
  type Acknowledgement,
  type Approval,
  type Departure,
  type Hold,
  type Left,
  type SettledApproval,
} from '../approvals/approval';
import { AcknowledgeApprovalCommand } from '../approvals/commands/acknowledge-approval';
import { CancelApprovalCommand } from '../approvals/commands/cancel-approval';
import { DepartFromApprovalCommand } from '../approvals/commands/depart-from-approval';
import { EnqueueApprovalCommand } from '../approvals/commands/enqueue-approval';
import { JoinApprovalCommand } from '../approvals/commands/join-approval';
import { TakeAnswerCommand } from '../approvals/commands/take-answer';
import { FinishedApprovals } from '../approvals/finished-approvals';
import { NewRequest, type EnqueueBody } from '../approvals/new-request';
import { AwaitSettlementQuery } from '../approvals/queries/await-settlement';
import { canonicalize, sha256Hex } from '../kernel/canonical-json';
import { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import type { JsonObject } from '../kernel/json';
import { currentCorrelationId, joinCorrelation } from '../logging/correlation';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import type { Connector } from './adapter';
import { answerTo, failureOf, type Awaited, type Ending, type Outcome } from './answers';
import { ConnectorAnswered } from './connector-events';

/** Time for a caller to reconnect before the service cancels its request. */
const ABANDONED_AFTER_MS = 5_000;
/**
 * Time for the last statements of a call after its deadline, or after a stop began. Without a limit, a database that
 * hangs would delay the denial until the agent gives up or the stop closes the connection.
 */
const LAST_STATEMENTS_MS = 3_000;

export interface Question {
  readonly connector: string;
  readonly body: EnqueueBody;
  /**
   * Fields that a call shares with its retry, beside the key, the connector and the action; null: it has no retries.
   * No field identifies a call alone: other sessions and other calls may have the same value.
   */
  readonly identity: JsonObject | null;
}

/** A request, and the number of this caller among those that waited for it. */
interface Held {
  readonly approval: Awaited;
  readonly hold: Hold;
}

/** Contains a space, so it differs from every Idempotency-Key that a caller can send. */
function idempotencyKeyOf({ connector, identity }: Question, action: string): string | null {
  return identity === null ? null : `${connector} ${sha256Hex(canonicalize({ ...identity, action }))}`;
}

/** True if the agent itself cancelled: its connection may still be open, but it no longer waits for this answer. */
function isTakenBack(approval: SettledApproval): boolean {
  if (approval.status !== 'cancelled') return false;
  const { by } = approval;
  return by.kind === 'person' && by.channel === 'api' && by.id === approval.keyId;
}

/**
 * Calls that stay open until the operators answer; an open connection shows that the agent still waits. After a lost
 * connection, one call at a time may rejoin the request on any replica: the database stores the waiter, and this class
 * only the timers. The latest call takes the outcome before it answers, so one tap lets only one call proceed.
 */
@Injectable()
export class HeldCalls implements OnModuleDestroy {
  private readonly waiting = new Map<string, number>();
  private readonly abandoning = new Set<NodeJS.Timeout>();
  /** Runs cancellations in sequence: a mass disconnect must not take the database from the deciders. */
  private abandoned: Promise<void> = Promise.resolve();
  private stopping = false;
  /** Denies a call whose statements are not done. */
  private readonly unfinished = new Set<() => void>();
  /** True once a stop waits for no statement of a call. */
  private closed = false;

  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly finished: FinishedApprovals,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /**
   * Cancels nothing on shutdown: a caller may rejoin its request on another replica, or the request expires. Comes
   * before the hooks of other modules, which wait for the database.
   */
  onModuleDestroy(): void {
    this.stopping = true;
    for (const timer of this.abandoning) clearTimeout(timer);
    setTimeout(() => this.close(), LAST_STATEMENTS_MS).unref();
  }

  private close(): void {
    this.closed = true;
    for (const deny of this.unfinished) deny();
  }

  waitingFor(connector: string): number {
    return this.waiting.get(connector) ?? 0;
  }

  /**
   * Enqueues a request, or rejoins that of the same question after a lost connection, and waits. Rejects like
   * EnqueueApprovalCommand and AwaitSettlementQuery, and with `database.unavailable` if the statements are not done
   * {@link LAST_STATEMENTS_MS} after the deadline or the begin of a stop.
   *
   * Keeps nothing of the question in memory while it waits, and calls `stored` once it does not need it any more.
   *
   * @param wait.ms from now, the enqueuing included
   * @param wait.signal aborts when the caller hangs up or its key is revoked
   */
  ask(
    question: Question,
    caller: Identity,
    {
      ms,
      signal,
      stored,
    }: { readonly ms: number; readonly signal: AbortSignal; readonly stored: () => void },
  ): Promise<Ending> {
    const until = this.clock.monotonicMs() + ms;
    // Not awaited: a function that waits keeps its arguments in memory.
    const ending = this.hold(question, caller).then((held) => {
      stored();
      return this.awaitSettlement(held, caller, { until, signal });
    });
    return this.count(question.connector, this.inTime(ending, caller, ms));
  }

  /** Waits for the ending of a call and its answer. A failure is logged, and its answer denies. */
  outcomeOf(asked: Promise<Ending>): Promise<Outcome>;
  outcomeOf(asked: Promise<Ending | null>): Promise<Outcome | null>;
  async outcomeOf(asked: Promise<Ending | null>): Promise<Outcome | null> {
    try {
      const ending = await asked;
      return ending && { answer: answerTo(ending), ending };
    } catch (error) {
      const fields = { error: describeError(error) };
      this.log.event('warn', 'connector.failed', fields, 'a tool use was denied unasked');
      return { answer: failureOf(error), ending: null };
    }
  }

  private async count(connector: string, ending: Promise<Ending>): Promise<Ending> {
    this.waiting.set(connector, this.waitingFor(connector) + 1);
    try {
      return await ending;
    } finally {
      this.waiting.set(connector, this.waitingFor(connector) - 1);
    }
  }

  private async inTime(asked: Promise<Ending>, caller: Identity, ms: number): Promise<Ending> {
    let deny: () => void = () => undefined;
    const denied = new Promise<null>((resolve) => (deny = () => resolve(null)));
    const timer = Number.isFinite(ms) ? setTimeout(deny, ms + LAST_STATEMENTS_MS) : null;
    this.unfinished.add(deny);
    if (this.closed) deny();
    const ending = await Promise.race([asked, denied]).finally(() => {
      if (timer) clearTimeout(timer);
      this.unfinished.delete(deny);
    });
    if (ending) return ending;
    void this.recordLost(asked, caller);
    throw new DomainError('database.unavailable', 'The database did not answer in time');
  }

  /** Records that nobody got this ending, so that a retry of the call can join. Never rejects. */
  private async recordLost(asked: Promise<Ending>, caller: Identity): Promise<void> {
    await this.bestEffort('an ending after the denial', async () => {
      const ending = await asked;
      if (ending.kind !== 'settled') return;
      await this.acknowledge(ending.approval, 'gone');
      await this.depart(ending.approval.id, ending.hold, caller, false);
    });
  }

  /** Records that a call was answered, and whether the caller received the answer. */
  async recordAnswer(
    { connector, reports }: Connector,
    caller: Identity,
    { answer, ending }: Outcome,
    taken: boolean,
  ): Promise<void> {
    const { kind } = answer;
    this.events.publish(new ConnectorAnswered(connector, kind));
    const fields = { connector, approvalId: ending?.approval.id, answer: kind, taken };
    this.log.event('info', 'connector.answered', fields, 'a held call ended');
    if (ending?.kind !== 'settled') return;
    // A caller that cancelled its own request continues with another answer or stops; only its report can tell.
    if (isTakenBack(ending.approval) && reports) return;
    const delivered = taken && !isTakenBack(ending.approval);
    await this.acknowledge(ending.approval, delivered ? 'answered' : 'gone');
    // Only after that is recorded: a caller that reconnects must find that no one received the answer.
    if (!taken) await this.depart(ending.approval.id, ending.hold, caller, false);
  }

  private async hold(question: Question, caller: Identity): Promise<Held> {
    const { connector } = question;
    const request = await NewRequest.of(question.body);
    const key = idempotencyKeyOf(question, request.inputDigest);
    const enqueue = async (idempotencyKey: string | null) => {
      const correlationId = currentCorrelationId() ?? '';
      const { approval, replayed } = await this.commands.execute(
        new EnqueueApprovalCommand(request, caller, idempotencyKey, correlationId, true, connector),
      );
      const { id, expiresAt } = approval;
      const awaited: Awaited = { id, keyId: caller.keyId, expiresAt, status: 'pending' };
      return { awaited, replayed, correlationId: approval.correlationId };
    };
    const { awaited, replayed, correlationId } = await enqueue(key);
    if (!replayed || key === null) {
      this.logAsked({ connector, approvalId: awaited.id }, 'an agent asks and waits');
      return { approval: awaited, hold: FIRST_HOLD };
    }
    const hold = await this.commands.execute(new JoinApprovalCommand(awaited.id, key));
    if (hold !== null) {
      joinCorrelation(correlationId);
      const fields = { connector, approvalId: awaited.id, joined: true };
      this.logAsked(fields, 'an agent waits again for what it asked before');
      return { approval: awaited, hold };
    }
    // If a concurrent call with the same question asked anew first, it still waits: do not join it.
    const anew = await enqueue(key);
    const { awaited: approval } = anew.replayed ? await enqueue(null) : anew;
    const fields = { connector, approvalId: approval.id, again: true };
    this.logAsked(fields, 'an agent asks anew what it asked before');
    return { approval, hold: FIRST_HOLD };
  }

  private logAsked(fields: object, message: string): void {
    this.log.event('info', 'connector.asked', fields, message);
  }

  private async awaitSettlement(
    { approval: awaited, hold }: Held,
    caller: Identity,
    { until, signal }: { readonly until: number; readonly signal: AbortSignal },
  ): Promise<Ending> {
    const { id } = awaited;
    const viewer = { keyId: caller.keyId };
    try {
      const leftMs = until - this.clock.monotonicMs();
      const approval = await this.queries.execute(new AwaitSettlementQuery(id, viewer, leftMs, signal));
      // A key that was revoked meanwhile must not receive an answer, least of all an approval.
      await caller.standing.confirm();
      if (approval !== null) {
        const taken = await this.commands.execute(new TakeAnswerCommand(id, hold));
        return taken ? { kind: 'settled', approval, hold } : { kind: 'superseded', approval };
      }
      const left = await this.depart(id, hold, caller, signal.aborted);
      if (signal.aborted) return { kind: 'gone', approval: awaited };
      const kind = this.clock.monotonicMs() >= until ? 'deadline' : 'stopping';
      return { kind, approval: asLeft(awaited, left) };
    } catch (error) {
      // The caller receives the error and no longer waits.
      await this.depart(id, hold, caller, signal.aborted);
      throw error;
    }
  }

  /** @returns the request as it is left; null: it is not pending, or that is not known */
  private async depart(id: string, hold: Hold, caller: Identity, abandoned: boolean): Promise<Left | null> {
    let left: Left | null = null;
    await this.bestEffort('a departure', async () => {
      left = await this.commands.execute(new DepartFromApprovalCommand(id, hold));
      if (!abandoned || left === null) return;
      const { departure: since } = left;
      const timer = setTimeout(() => {
        this.abandoning.delete(timer);
        this.abandoned = this.abandoned.then(() => this.abandon(id, since, caller));
      }, ABANDONED_AFTER_MS);
      this.abandoning.add(timer.unref());
    });
    return left;
  }

  private async abandon(id: string, since: Departure, caller: Identity): Promise<void> {
    if (this.stopping) return;
    await this.bestEffort('an abandoned request', async () => {
      const reason = 'the agent hung up';
      await this.commands.execute(
        new CancelApprovalCommand({ cause: 'abandoned', id, since, by: actorOf(caller), reason }),
      );
      const { keyId } = caller;
      const { status } = await this.finished.stateOf(id, { keyId });
      if (status !== 'pending') await this.acknowledge({ id, keyId }, 'gone');
    });
  }

  private async acknowledge(
    { id, keyId }: Pick<Approval, 'id' | 'keyId'>,
    outcome: Acknowledgement,
  ): Promise<void> {
    await this.bestEffort('an acknowledgement', async () => {
      try {
        await this.commands.execute(new AcknowledgeApprovalCommand(id, keyId, outcome));
      } catch (error) {
        // Another call or report has recorded a more definite outcome; keep that.
        if (!(error instanceof AlreadyAcknowledged)) throw error;
      }
    });
  }

  /** Best effort: a failure is logged and ignored. The request then expires, or the card lacks its last line. */
  private async bestEffort(what: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      const fields = { what, error: describeError(error) };
      this.log.event('warn', 'connector.note-failed', fields, 'what became of a held call was not noted');
    }
  }
}

/** The request with what people did while its caller waited. */
const asLeft = (awaited: Awaited, left: Left | null): Awaited => ({
  ...awaited,
  ...(left && { expiresAt: left.expiresAt }),
  ...(left?.isUnreachable && { isUnreachable: true }),
});
