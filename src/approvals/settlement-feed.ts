import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { CommandBus, EventBus } from '@nestjs/cqrs';
import { NotificationListener } from '../database/notification-listener';
import { Clock } from '../kernel/clock';
import { withCorrelation } from '../logging/correlation';
import { describeError, Log } from '../logging/log';
import type { Approval, SettledApproval } from './approval';
import { ApprovalSettled } from './approval-events';
import { SETTLED_CHANNEL } from './approval-statements';
import { ApprovalStore, type LastSeen, type Look, type PendingLook, type Snapshot } from './approval-store';
import { CancelApprovalCommand } from './commands/cancel-approval';

/** How often deadlines of waiters are looked at; "within a second of expiresAt" leaves room for four looks. */
const TICK_MS = 200;
/** The safety net under NOTIFY: every waiting id is re-read this often, in one query. */
const POLL_MS = 5_000;
/** How long after a failed attempt an overdue request is tried again. */
const RETRY_OVERDUE_MS = 1_000;

/** Of those who wait for one request. */
const ANSWERED_IN_A_TURN = 100;
/** Each answer may be as large as its request: no more than this is written in one turn, and read with one query. */
const CHARACTERS_IN_A_TURN = 4 * 1024 * 1024;

type Answer = SettledApproval | null;

type Seen = LastSeen & {
  readonly characters: number;
  /** On the monotonic clock: when it had been read. */
  readonly readAt: number;
};

interface Waiting {
  readonly id: string;
  /** On the monotonic clock: when the caller's time is up. */
  until: number;
  /** On the monotonic clock: when the request itself is over and must be settled. */
  endsAt: number;
  /** As it was when its caller read it; its time and its card, when it was last read. Null before the first read. */
  seen: Seen | null;
  readonly answer: (answer: Answer) => void;
  readonly answered: Promise<Answer>;
}

export interface Waiter {
  /**
   * The settled approval; as it was seen when `waitMs` passed, the signal fired, or the service stops.
   * `seen`: the pending request, as it was just read.
   */
  settled(options: { waitMs: number; seen: Snapshot; signal: AbortSignal }): Promise<Approval>;
  release(): void;
}

/** So that what the answers hold is on its way, or given up, before the next ones are written. */
function answerInTurns(waiters: readonly Waiting[], approval: SettledApproval): void {
  const characters = waiters[0]?.seen?.characters ?? 0;
  const inATurn = Math.min(ANSWERED_IN_A_TURN, Math.floor(CHARACTERS_IN_A_TURN / (characters + 1)) + 1);
  for (const waiter of waiters.slice(0, inATurn)) waiter.answer(approval);
  const others = waiters.slice(inATurn);
  if (others.length > 0) setImmediate(() => answerInTurns(others, approval));
}

/**
 * Who is waiting on this replica, and how they are woken: NOTIFY names what settled, one batched read fetches
 * it for all its waiters. What this replica settled itself, with its receipt, is there already and is not asked for.
 * A waiter holds memory and its socket, and no database connection.
 */
@Injectable()
export class SettlementFeed implements OnApplicationBootstrap, BeforeApplicationShutdown {
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
    // A decision has answered them before it is told here; what was cancelled has not.
    this.events.subscribe((event) => {
      if (!(event instanceof ApprovalSettled)) return;
      const { approval } = event;
      if ('receipt' in approval && approval.receipt !== null) this.answer(approval);
    });
    this.listener.listen(SETTLED_CHANNEL, {
      notified: (payload) => this.wake(payload.split(',')),
      // What was notified while the connection was away is gone: read everything again.
      connected: () => this.wake([...this.waiting.keys()]),
    });
  }

  /** Answers everybody with "as it stands"; who comes later is answered at once. */
  beforeApplicationShutdown(): void {
    this.closed = true;
    for (const waiters of [...this.waiting.values()]) for (const waiter of [...waiters]) waiter.answer(null);
  }

  get size(): number {
    let count = 0;
    for (const waiters of this.waiting.values()) count += waiters.size;
    return count;
  }

  register(id: string): Waiter {
    const waiting = this.add(id);
    return {
      settled: ({ waitMs, seen, signal }) => {
        const now = this.clock.monotonicMs();
        waiting.until = now + waitMs;
        waiting.endsAt = now + seen.endsInMs;
        const { approval } = this.saw(waiting, seen);
        if (this.closed || signal.aborted || waitMs <= 0) waiting.answer(null);
        signal.addEventListener('abort', () => waiting.answer(null), { once: true });
        return waiting.answered.then((answer) => answer ?? approval);
      },
      release: () => this.remove(waiting),
    };
  }

  private add(id: string): Waiting {
    let answer: (answer: Answer) => void = () => undefined;
    const answered = new Promise<Answer>((resolve) => (answer = resolve));
    const waiting: Waiting = { id, until: Infinity, endsAt: Infinity, seen: null, answer, answered };
    const others = this.waiting.get(id);
    if (others) others.add(waiting);
    else this.waiting.set(id, new Set([waiting]));
    this.ticker ??= setInterval(() => this.tick(), TICK_MS);
    return waiting;
  }

  /**
   * What somebody waits for on this replica, as it was last read, and the database's time now: so much later as this
   * process has counted. Null where nobody waits.
   */
  lastSeen(id: string): LastSeen | null {
    const seen = this.seenBySomebody(id);
    if (seen === null) return null;
    const { approval, displayDigest, now, readAt } = seen;
    return { approval, displayDigest, now: new Date(now.getTime() + this.clock.monotonicMs() - readAt) };
  }

  private seenBySomebody(id: string): Seen | null {
    for (const { seen } of this.waiting.get(id) ?? []) if (seen !== null) return seen;
    return null;
  }

  /** What was asked is kept once, however many wait for it and however often it is read. */
  private saw(waiting: Waiting, { approval, displayDigest, now, characters }: Snapshot): Seen {
    const known = this.seenBySomebody(waiting.id);
    const readAt = this.clock.monotonicMs();
    waiting.seen = { approval: known?.approval ?? approval, displayDigest, now, readAt, characters };
    return waiting.seen;
  }

  /** Whoever has not read the request yet is about to, and sees the same or more. */
  private sawPending({ id, displayDigest, now }: PendingLook): void {
    const readAt = this.clock.monotonicMs();
    for (const waiting of this.waiting.get(id) ?? [])
      if (waiting.seen) waiting.seen = { ...waiting.seen, displayDigest, now, readAt };
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
    for (const [id, waiters] of this.waiting) {
      for (const waiter of waiters) {
        if (now >= waiter.until) waiter.answer(null);
        else if (now >= waiter.endsAt) {
          // Asked again after a while, in case the database was away.
          waiter.endsAt = now + RETRY_OVERDUE_MS;
          overdue.push(id);
        }
      }
    }
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

  /** Some of those that are to be read: not more than the texts of one turn, should all have settled. */
  private takeToRead(): string[] {
    const ids: string[] = [];
    let characters = 0;
    for (const id of this.toRead) {
      characters += this.seenBySomebody(id)?.characters ?? 0;
      if (ids.length > 0 && characters > CHARACTERS_IN_A_TURN) break;
      ids.push(id);
      this.toRead.delete(id);
    }
    return ids;
  }

  /** One query for all that woke, or a few where they are large; what wakes meanwhile goes into the next. */
  private async read(): Promise<void> {
    this.reading = true;
    while (this.toRead.size > 0) {
      const ids = this.takeToRead();
      try {
        for (const look of await this.store.look(ids)) this.tell(look);
      } catch (error) {
        this.complain(error);
      }
    }
    this.reading = false;
  }

  private tell(look: Look): void {
    if (look.status === 'pending') this.sawPending(look);
    else this.answer(look);
  }

  /** Answers all who wait here, with an approval that has its receipt. */
  answer(approval: SettledApproval): void {
    const { id: approvalId, status, correlationId } = approval;
    const waiters = this.waiting.get(approvalId);
    if (!waiters) return;
    // Nobody waits for it any more: when another word of it comes, there is nothing to read.
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
