import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { EventBus, QueryBus } from '@nestjs/cqrs';
import { ApprovalEnqueued, ApprovalSettled } from '../approvals/approval-events';
import { GetApprovalQuery } from '../approvals/queries/get-approval';
import { CONFIG, type Config } from '../config/environment';
import { withCorrelation } from '../logging/correlation';
import { describeError, Log } from '../logging/log';
import { Escalation } from './escalation';
import { ChatFailure } from './operator-chat';
import { OutboxStore, type Work } from './outbox-store';

/** How often the outbox is looked at when nothing wakes us: retries, warnings, other replicas' leftovers. */
const POLL_MS = 1_000;
/** Leased at once: few, because what is leased waits while this replica is slow. */
const BATCH = 4;
/** Failed work comes back after 1 s, 2 s, 4 s … */
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;

function backoffMs(attempts: number): number {
  return Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(attempts - 1, 10));
}

/** Takes work from the outbox, does it, and gives back what failed. Any number of replicas side by side. */
@Injectable()
export class EscalationWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private running: Promise<void> | null = null;
  private wakeUp: () => void = () => undefined;
  private woken = false;
  private readonly stop = new AbortController();
  private failing = false;

  constructor(
    private readonly outbox: OutboxStore,
    private readonly escalation: Escalation,
    private readonly queries: QueryBus,
    private readonly events: EventBus,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  onApplicationBootstrap(): void {
    if (this.config.telegram === null) return;
    // An event is a hint, no more: what it says stands in the outbox, and the poll finds it anyway.
    this.events.subscribe((event) => {
      if (event instanceof ApprovalEnqueued || event instanceof ApprovalSettled) this.wake();
    });
    this.running = this.run(this.config.telegram.chatId);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    this.wake();
    await this.running;
  }

  private wake(): void {
    this.woken = true;
    this.wakeUp();
  }

  private async run(chatId: string): Promise<void> {
    await this.guarded(async () => {
      const missing = await this.outbox.enqueueMissingCards(chatId);
      if (missing > 0)
        this.log.event(
          'info',
          'escalation.cards-missing',
          { count: missing },
          'pending requests had no card; they get one',
        );
      return missing;
    });
    while (!this.stop.signal.aborted) {
      const done = await this.guarded(() => this.round());
      if (done < BATCH) await this.rest();
    }
  }

  /** One batch. @returns how much work there was. */
  private async round(): Promise<number> {
    this.woken = false;
    const batch = await this.outbox.claim(BATCH, this.config.escalation.leaseSeconds);
    await Promise.all(batch.map((work) => this.do(work)));
    return batch.length;
  }

  private async do(work: Work): Promise<void> {
    const { approval } = await this.queries.execute(new GetApprovalQuery(work.approvalId, 'everything'));
    await withCorrelation(approval.correlationId, async () => {
      try {
        await this.escalation.perform(work, approval);
      } catch (error) {
        await this.giveBack(work, error);
      }
    });
  }

  private async giveBack(work: Work, error: unknown): Promise<void> {
    const message = describeError(error);
    const { kind, approvalId, attempts } = work;
    if (error instanceof ChatFailure && error.outlook === 'never') {
      this.log.event(
        'error',
        'escalation.dead',
        { kind, approvalId, attempts, error: message },
        'Telegram work can never be done',
      );
      return this.outbox.bury(work, message);
    }
    const waitMs =
      (error instanceof ChatFailure ? error.details.retryAfterMs : undefined) ?? backoffMs(attempts);
    this.log.event(
      'warn',
      'escalation.postponed',
      { kind, approvalId, attempts, waitMs, error: message },
      'Telegram work is tried again later',
    );
    return this.outbox.postpone(work, waitMs, message);
  }

  /** Trouble with the database is told once, and the loop goes on. */
  private async guarded(work: () => Promise<number>): Promise<number> {
    try {
      const count = await work();
      this.failing = false;
      return count;
    } catch (error) {
      if (!this.failing)
        this.log.event(
          'error',
          'escalation.failed',
          { error: describeError(error) },
          'the outbox cannot be worked on; it is tried again',
        );
      this.failing = true;
      return 0;
    }
  }

  private rest(): Promise<void> {
    if (this.woken || this.stop.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
