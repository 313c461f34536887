import { createHash } from 'node:crypto';
import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { CommandBus, EventBus, QueryBus } from '@nestjs/cqrs';
import { actorOf, type Identity } from '../access/identity';
import {
  AlreadyAcknowledged,
  isSettled,
  type Acknowledgement,
  type Approval,
  type Departure,
  type SettledApproval,
} from '../approvals/approval';
import { AcknowledgeApprovalCommand } from '../approvals/commands/acknowledge-approval';
import { CancelApprovalCommand } from '../approvals/commands/cancel-approval';
import { DepartFromApprovalCommand } from '../approvals/commands/depart-from-approval';
import { EnqueueApprovalCommand, type EnqueueBody } from '../approvals/commands/enqueue-approval';
import { JoinApprovalCommand } from '../approvals/commands/join-approval';
import { AwaitSettlementQuery } from '../approvals/queries/await-settlement';
import { GetApprovalQuery } from '../approvals/queries/get-approval';
import { canonicalize } from '../kernel/canonical-json';
import { Clock } from '../kernel/clock';
import type { JsonObject } from '../kernel/json';
import { currentCorrelationId, joinCorrelation } from '../logging/correlation';
import { describeError, Log } from '../logging/log';
import type { Answer, Ending } from './answers';
import { CONNECTORS, ConnectorAnswered, type Connector } from './connector-events';

/** A caller that lost its connection has this long to come back before its request is cancelled. */
const ABANDONED_AFTER_MS = 5_000;

export interface Question {
  readonly connector: Connector;
  readonly body: EnqueueBody;
  /** What a call has in common with its retry. */
  readonly identity: JsonObject;
  /** Whether no second question can ever have this identity; else only a decision nobody heard is given again. */
  readonly unique: boolean;
}

/** Whether a retry is given the same answer. An approval serves no longer than the request would have been open. */
function servesAgain(
  { approval, endsInMs }: { approval: Approval; endsInMs: number },
  unique: boolean,
): boolean {
  if (!isSettled(approval)) return true;
  if (unique) return approval.status !== 'approved' || endsInMs > 0;
  return 'decision' in approval && approval.acknowledged !== 'resumed' && endsInMs > 0;
}

/** Cancelled by the agent itself: its connection may still be there, but it no longer waits for this answer. */
function isTakenBack(approval: SettledApproval): boolean {
  return approval.status === 'cancelled' && approval.by.kind === 'api' && approval.by.id === approval.keyId;
}

/**
 * Calls that stay open until the operators answer, and whose connection is the agent's sign of life. A lost one may
 * be joined again on any replica: who waits is counted in the database, and only timers are kept here.
 */
@Injectable()
export class HeldCalls implements BeforeApplicationShutdown {
  private readonly waiting = new Map<Connector, number>(CONNECTORS.map((connector) => [connector, 0]));
  private readonly abandoning = new Set<NodeJS.Timeout>();
  /** One after the other: many that hang up at once must not keep the database from those who decide. */
  private abandoned: Promise<void> = Promise.resolve();
  private stopping = false;

  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** What would be cancelled now may be joined at another replica instead, or it expires. */
  beforeApplicationShutdown(): void {
    this.stopping = true;
    for (const timer of this.abandoning) clearTimeout(timer);
  }

  waitingFor(connector: Connector): number {
    return this.waiting.get(connector) ?? 0;
  }

  /**
   * Asks, or joins the same question, and waits. Rejects like EnqueueApprovalCommand and AwaitSettlementQuery.
   *
   * @param wait.signal aborts when the caller hangs up or its key is revoked
   */
  async ask(
    question: Question,
    caller: Identity,
    wait: { readonly ms: number; readonly signal: AbortSignal },
  ): Promise<Ending> {
    const { connector } = question;
    this.waiting.set(connector, this.waitingFor(connector) + 1);
    try {
      const { id } = await this.enqueue(question, caller);
      return await this.settlement(id, caller, wait);
    } finally {
      this.waiting.set(connector, this.waitingFor(connector) - 1);
    }
  }

  /** Notes that a call was answered, and whether its caller took the answer: it heard and goes on, or is gone. */
  async answered(connector: Connector, answer: Answer, ending: Ending | null, taken: boolean): Promise<void> {
    const { kind } = answer;
    this.events.publish(new ConnectorAnswered(connector, kind));
    const fields = { connector, approvalId: ending?.approval.id, answer: kind, taken };
    this.log.event('info', 'connector.answered', fields, 'a held call ended');
    if (ending?.kind !== 'settled') return;
    const heard = taken && !isTakenBack(ending.approval);
    await this.acknowledge(ending.approval, heard ? 'resumed' : 'gone');
  }

  private async enqueue(question: Question, caller: Identity): Promise<Approval> {
    const digest = createHash('sha256').update(canonicalize(question.identity)).digest('hex');
    // The space keeps it apart from every Idempotency-Key that a caller can send.
    let key = `${question.connector} ${digest}`;
    for (;;) {
      const { approval, replayed } = await this.commands.execute(
        new EnqueueApprovalCommand(question.body, caller.keyId, key, currentCorrelationId() ?? '', 'action'),
      );
      const fields = { connector: question.connector, approvalId: approval.id, joined: replayed };
      if (!replayed) {
        this.log.event('info', 'connector.asked', fields, 'an agent asks and waits');
        return approval;
      }
      const viewer = { keyId: caller.keyId };
      const seen = await this.queries.execute(new GetApprovalQuery(approval.id, viewer));
      if (servesAgain(seen, question.unique)) {
        joinCorrelation(approval.correlationId);
        await this.commands.execute(new JoinApprovalCommand(approval.id));
        this.log.event('info', 'connector.asked', fields, 'an agent waits again for what it asked before');
        return approval;
      }
      key = `${question.connector} ${digest} after ${approval.id}`;
    }
  }

  private async settlement(
    id: string,
    caller: Identity,
    { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
  ): Promise<Ending> {
    const until = this.clock.monotonicMs() + ms;
    const viewer = { keyId: caller.keyId };
    let approval: Approval;
    try {
      approval = await this.queries.execute(new AwaitSettlementQuery(id, viewer, ms, signal));
    } catch (error) {
      // The caller is told that this failed, and waits no longer.
      await this.depart(id, caller, signal.aborted);
      throw error;
    }
    const ending = ((): Ending => {
      if (isSettled(approval)) return { kind: 'settled', approval };
      if (signal.aborted) return { kind: 'gone', approval };
      return { kind: this.clock.monotonicMs() >= until ? 'deadline' : 'stopping', approval };
    })();
    if (ending.kind !== 'settled') await this.depart(id, caller, ending.kind === 'gone');
    // A key that was revoked meanwhile is told nothing, least of all an approval.
    await caller.standing.confirm();
    return ending;
  }

  private async depart(id: string, caller: Identity, abandoned: boolean): Promise<void> {
    await this.noted('a departure', async () => {
      const since = await this.commands.execute(new DepartFromApprovalCommand(id));
      if (!abandoned || since === null) return;
      const timer = setTimeout(() => {
        this.abandoning.delete(timer);
        this.abandoned = this.abandoned.then(() => this.abandon(id, since, caller));
      }, ABANDONED_AFTER_MS);
      this.abandoning.add(timer.unref());
    });
  }

  private async abandon(id: string, since: Departure, caller: Identity): Promise<void> {
    if (this.stopping) return;
    await this.noted('an abandoned request', async () => {
      const reason = 'the agent hung up';
      await this.commands.execute(
        new CancelApprovalCommand({ cause: 'abandoned', id, since, by: actorOf(caller), reason }),
      );
      const { approval } = await this.queries.execute(new GetApprovalQuery(id, { keyId: caller.keyId }));
      if (isSettled(approval)) await this.acknowledge(approval, 'gone');
    });
  }

  private async acknowledge({ id, keyId }: Approval, outcome: Acknowledgement): Promise<void> {
    await this.noted('an acknowledgement', async () => {
      try {
        await this.commands.execute(new AcknowledgeApprovalCommand(id, keyId, outcome));
      } catch (error) {
        // It was heard by another call meanwhile, and that is what counts.
        if (!(error instanceof AlreadyAcknowledged)) throw error;
      }
    });
  }

  /** What cannot be written down now harms nobody: the request expires by itself, the card lacks its last line. */
  private async noted(what: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      const fields = { what, error: describeError(error) };
      this.log.event('warn', 'connector.note-failed', fields, 'what became of a held call was not noted');
    }
  }
}
