import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { CommandBus, EventBus } from '@nestjs/cqrs';
import { NotificationListener } from '../database/notification-listener';
import { Clock } from '../kernel/clock';
import { withCorrelation } from '../logging/correlation';
import { DomainError } from '../kernel/errors';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import type { SettledApproval } from './approval';
import { ApprovalSettled } from './approval-events';
import { SETTLED_CHANNEL } from './approval-statements';
import { ApprovalStore, type ApprovalState, type PendingLook } from './approval-store';
import { CancelApprovalCommand } from './commands/cancel-approval';
import { SignReceiptsCommand } from './commands/sign-receipts';
import { withReceipts } from './receipts-of';

/** Interval of checks of waiters' deadlines; "within a second of expiresAt" leaves room for four checks. */
const TICK_MS = 200;
/** The safety net under NOTIFY: one query re-reads every awaited id this often. */
const POLL_MS = 5_000;
/** Delay before an overdue request is retried after a failed attempt. */
const RETRY_OVERDUE_MS = 1_000;

/** Maximum number of waiters of one request answered in one turn. */
const ANSWERED_IN_A_TURN = 100;
/** Maximum text written in one turn, and read with one query: each answer may be as large as its request. */
const BYTES_IN_A_TURN = 4 * 1024 * 1024;

/** Null: the wait ended before. */
type Answer = SettledApproval | 'lost' | null;

interface Waiting {
  readonly id: string;
  /** End of the caller's wait, on the monotonic clock. */
  until: number;
  /** Time from which the request itself is overdue and must be settled, on the monotonic clock. */
  endsAt: number;
  /** Length of the request's text; null before its caller has read its state. */
  bytes: number | null;
  readonly answer: (answer: Answer) => void;
  readonly answered: Promise<Answer>;
}

export interface Waiter {
  /**
   * Resolves with the settled approval; with null when `waitMs` passed, the signal fired, or the service stops.
   * Rejects with `approval.not-found` when the database has lost the request.
   * `seen`: the state of the pending request, as it was just read.
   */
  settled(options: {
    waitMs: number;
    seen: Pick<ApprovalState, 'endsInMs' | 'bytes'>;
    signal: AbortSignal;
  }): Promise<SettledApproval | null>;
  release(): void;
}

/** The number of waiters at the beginning that one turn answers. */
function fittingInATurn(waiters: readonly Waiting[]): number {
  let size = 0;
  for (const [place, { bytes }] of waiters.slice(0, ANSWERED_IN_A_TURN).entries()) {
    size += bytes ?? 0;
    if (size > BYTES_IN_A_TURN) return place + 1;
  }
  return ANSWERED_IN_A_TURN;
}

/** Answers in turns, so that each batch of answers leaves memory before the next is written. */
function answerInTurns(waiters: readonly Waiting[], answer: Answer): void {
  const inATurn = fittingInATurn(waiters);
  for (const waiter of waiters.slice(0, inATurn)) waiter.answer(answer);
  const others = waiters.slice(inATurn);
  if (others.length > 0) setImmediate(() => answerInTurns(others, answer));
}

/** Ends the waits, of small requests first: they do not wait until many large ones are read and written. */
function endWaits(waiters: readonly Waiting[]): void {
  answerInTurns(
    [...waiters].sort((a, b) => (a.bytes ?? 0) - (b.bytes ?? 0)),
    null,
  );
}

/**
 * Holds the waiters of this replica and wakes them: NOTIFY names the settled ids, and one batched read fetches each for
 * all its waiters. Requests that this replica settled itself, with a receipt, need no read. A waiter holds memory and
 * its socket, and no database connection.
 */
@Injectable()
export class SettlementFeed implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly waiting = new Map<string, Set<Waiting>>();
  private readonly toRead = new Set<string>();
  private reading = false;
  private ticker: NodeJS.Timeout | null = null;
  private nextPollAt = 0;
  private closed = false;

  constructor(
    private readonly store: ApprovalStore,
    private readonly commands: CommandBus,
    private readonly events: EventBus,
    private readonly listener: NotificationListener,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    // A decision has answered its waiters before this event; a cancellation has not.
    this.events.subscribe((event) => {
      if (!(event instanceof ApprovalSettled)) return;
      const { approval } = event;
      if ('receipt' in approval && approval.receipt !== null) this.answer(approval);
    });
    this.listener.listen(SETTLED_CHANNEL, {
      notified: (payload) => this.wake(payload.split(',')),
      // Notifications during the outage are lost: read everything again.
      connected: () => this.wake([...this.waiting.keys()]),
    });
  }

  /**
   * Answers every waiter with the current state; later ones are answered at once. Comes before the hooks of other
   * modules, which wait for the database: if that hangs, the stop would close the connections first.
   */
  onModuleDestroy(): void {
    this.closed = true;
    endWaits([...this.waiting.values()].flatMap((waiters) => [...waiters]));
  }

  /** The number of those that wait; the others are about to read the state of their request. */
  get size(): number {
    let count = 0;
    for (const waiters of this.waiting.values())
      for (const { bytes } of waiters) count += bytes === null ? 0 : 1;
    return count;
  }

  register(id: string): Waiter {
    const waiting = this.add(id);
    return {
      settled: ({ waitMs, seen, signal }) => {
        const now = this.clock.monotonicMs();
        waiting.until = now + waitMs;
        waiting.endsAt = now + seen.endsInMs;
        waiting.bytes = seen.bytes;
        if (this.closed || signal.aborted || waitMs <= 0) waiting.answer(null);
        signal.addEventListener('abort', () => waiting.answer(null), { once: true });
        return waiting.answered.then((answer) => {
          if (answer === 'lost')
            throw new DomainError('approval.not-found', 'There is no approval with this id any more.');
          return answer;
        });
      },
      release: () => this.remove(waiting),
    };
  }

  private add(id: string): Waiting {
    let answer: (answer: Answer) => void = () => undefined;
    const answered = new Promise<Answer>((resolve) => (answer = resolve));
    const waiting: Waiting = { id, until: Infinity, endsAt: Infinity, bytes: null, answer, answered };
    const others = this.waiting.get(id);
    if (others) others.add(waiting);
    else this.waiting.set(id, new Set([waiting]));
    this.ticker ??= setInterval(() => this.tick(), TICK_MS);
    return waiting;
  }

  private remove(waiting: Waiting): void {
    const others = this.waiting.get(waiting.id);
    others?.delete(waiting);
    if (others?.size === 0) this.waiting.delete(waiting.id);
    if (this.waiting.size === 0 && this.ticker) {
      clearInterval(this.ticker);
      this.ticker = null;
    }
  }

  private tick(): void {
    const now = this.clock.monotonicMs();
    const overdue: string[] = [];
    const over: Waiting[] = [];
    for (const [id, waiters] of this.waiting) {
      for (const waiter of waiters) {
        if (now >= waiter.until) {
          // Its answer may take more turns than there are until the next tick.
          waiter.until = Infinity;
          over.push(waiter);
        } else if (now >= waiter.endsAt) {
          // Retried after a while, in case the database was unavailable.
          waiter.endsAt = now + RETRY_OVERDUE_MS;
          overdue.push(id);
        }
      }
    }
    if (over.length > 0) endWaits(over);
    if (overdue.length > 0) this.settleOverdue([...new Set(overdue)]);
    if (now >= this.nextPollAt) {
      this.nextPollAt = now + POLL_MS;
      this.wake([...this.waiting.keys()]);
    }
  }

  private settleOverdue(ids: readonly string[]): void {
    this.commands
      .execute(new CancelApprovalCommand({ cause: 'timeout', ids }))
      .then(() => this.wake(ids))
      .catch((error: unknown) => this.complain(error));
  }

  private wake(ids: readonly string[]): void {
    for (const id of ids) if (this.waiting.has(id)) this.toRead.add(id);
    if (!this.reading && this.toRead.size > 0) void this.read();
  }

  /** Takes ids to read, up to the text of one turn, in case all of them have settled. */
  private takeToRead(): string[] {
    const ids: string[] = [];
    let bytes = 0;
    for (const id of this.toRead) {
      const [waiting] = this.waiting.get(id) ?? [];
      bytes += waiting?.bytes ?? 0;
      if (ids.length > 0 && bytes > BYTES_IN_A_TURN) break;
      ids.push(id);
      this.toRead.delete(id);
    }
    return ids;
  }

  /** Runs one query for all woken ids, or a few if they are large; ids woken meanwhile go into the next. */
  private async read(): Promise<void> {
    this.reading = true;
    while (this.toRead.size > 0) {
      const ids = this.takeToRead();
      try {
        const looks = await this.store.look(ids);
        for (const look of looks) if (look.status === 'pending') this.postpone(look);
        const settled = looks.filter((look) => look.status === 'settled');
        const finished = await withReceipts(settled, (missing) =>
          this.commands.execute(new SignReceiptsCommand(missing)),
        );
        for (const { approval } of finished) this.answer(approval);
        const found = new Set(looks.map(({ id }) => id));
        this.lose(ids.filter((id) => !found.has(id)));
      } catch (error) {
        this.complain(error);
      }
    }
    this.reading = false;
  }

  /** A person may have given the request more time. An overdue one keeps its next try. */
  private postpone({ id, endsInMs }: PendingLook): void {
    if (endsInMs <= 0) return;
    const endsAt = this.clock.monotonicMs() + endsInMs;
    for (const waiter of this.waiting.get(id) ?? []) if (waiter.bytes !== null) waiter.endsAt = endsAt;
  }

  /**
   * Ends the waits for requests that are gone, as after a failover to a server without them: nothing else would. A
   * waiter that has not read the request yet finds out by itself.
   */
  private lose(ids: readonly string[]): void {
    for (const id of ids)
      for (const waiter of this.waiting.get(id) ?? []) if (waiter.bytes !== null) waiter.answer('lost');
  }

  /** Answers all waiters here, with an approval that has its receipt. */
  answer(approval: SettledApproval): void {
    const { id: approvalId, status, correlationId } = approval;
    const waiters = this.waiting.get(approvalId);
    if (!waiters) return;
    // Removed first: a later notification of this id has nothing to read.
    this.waiting.delete(approvalId);
    answerInTurns([...waiters], approval);
    const fields = { approvalId, status, waiters: waiters.size };
    withCorrelation(correlationId, () =>
      this.log.event('info', 'approval.answered', fields, 'those who wait are told the outcome'),
    );
  }

  private complain(error: unknown): void {
    this.log.event(
      'warn',
      'waiters.read-failed',
      { error: describeError(error) },
      'waiters could not be read; polling goes on',
    );
  }
}
