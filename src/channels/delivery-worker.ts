import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import {
  ApprovalAcknowledged,
  ApprovalEnqueued,
  ApprovalSettled,
  StepBegun,
} from '../approvals/approval-events';
import { CONFIG, type Config } from '../config/environment';
import { Clock } from '../kernel/clock';
import { withNewCorrelation } from '../logging/correlation';
import { FailureLog } from '../logging/failure-log';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import { DeliveryFailure } from './channel';
import { OpenChannels } from './channels-by-lane';
import { OutboxStore, type Work } from '../outbox/outbox-store';
import { Carrier } from '../outbox/carrier';
import { Lanes } from '../outbox/lanes';

/** Interval for polling the outbox without an event: for retries, warnings and other replicas' unfinished work. */
const POLL_MS = 1_000;
/** Concurrent work: more than one chat accepts at once, so that one slow chat does not block the others. */
const MAX_IN_FLIGHT = 16;
/**
 * While a message is being sent to a lane, the worker sends no other there for this time, so that messages arrive in
 * order. A call that takes longer than any healthy one does not block the following messages.
 */
const IN_ORDER_FOR_MS = 1_000;
/** A lease is renewed this many times in its life, so that one failed renewal does not lose it. */
const RENEWALS_PER_LEASE = 3;
/** Wait before the retry of work that failed in the service itself and not in the channel. */
const RETRY_MS = 1_000;
/** A refused message is retried this long after its lane's pause, so that another message tests the lane first. */
const AFTER_LANE_MS = 1_000;
/** The longest wait of a message that is refused while its lane works. */
const MAX_MESSAGE_PAUSE_MS = 60_000;

/** 1 s, 2 s, 4 s … */
const backoffMs = (attempts: number): number => Math.min(MAX_MESSAGE_PAUSE_MS, 1000 * 2 ** (attempts - 1));

/**
 * Pause after a failure that may concern the connection and not the chat. Meanwhile the breaker holds everything back;
 * when the connection works again, the chat must not wait longer.
 */
const UNPROVEN_FAULT_PAUSE_MS = 1_000;
/** Extra doublings of the backoff for a message that fails while the channel answers: it waits 8 s at first. */
const ALONE_DOUBLINGS = 2;

/** True if nobody will see the message in this lane, unless somebody acts. */
const isRefused = (error: unknown): boolean =>
  error instanceof DeliveryFailure &&
  (error.scope === 'message' || error.scope === 'ended' || error.isRefusal);

/** Events whose transactions also write work into the outbox; the worker can start that work now. */
const LEAVING_WORK = [ApprovalEnqueued, ApprovalSettled, ApprovalAcknowledged, StepBegun];

/** Takes work from the outbox, performs it, and requeues failed work. Any number of replicas may run concurrently. */
@Injectable()
export class DeliveryWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private readonly inFlight = new Map<Work, { readonly done: Promise<void>; readonly sinceMs: number }>();
  private running: Promise<void> | null = null;
  private renewals: NodeJS.Timeout | null = null;
  private wakeUp: () => void = () => undefined;
  private woken = false;
  private hinted: NodeJS.Immediate | null = null;
  /** True if the last hint was followed by news of cards alone. */
  private onlyCards = true;
  /** Lanes whose work, or whose cards, wait for room in the budget: until then new work for them changes nothing. */
  private waiting: readonly string[] = [];
  private full: readonly string[] = [];
  private readonly failures: FailureLog;

  constructor(
    private readonly outbox: OutboxStore,
    private readonly carrier: Carrier,
    private readonly channels: OpenChannels,
    private readonly lanes: Lanes,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    this.failures = new FailureLog(log, {
      event: 'outbox.failed',
      message: 'the outbox cannot be read; it is retried',
    });
  }

  onApplicationBootstrap(): void {
    // An event is only a hint: the work is in the outbox, and the poll finds it anyway.
    this.events.subscribe((event) => {
      if (LEAVING_WORK.some((kind) => event instanceof kind)) this.hint(event instanceof ApprovalEnqueued);
    });
    for (const channel of this.channels.all) channel.onReachable(() => this.wake());
    const renewEveryMs = (this.config.escalation.leaseSeconds * 1000) / RENEWALS_PER_LEASE;
    this.renewals = setInterval(() => void this.renew(), renewEveryMs);
    this.running = this.run();
  }

  /** Takes no more work and completes the running work; its leases end, and another replica continues. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    this.wake();
    await this.running;
    await Promise.all([...this.inFlight.values()].map(({ done }) => done));
    if (this.renewals) clearInterval(this.renewals);
  }

  /** Wakes the worker at most once a turn of the event loop and after it, so that waiters get their answers first. */
  private hint(isCard: boolean): void {
    this.onlyCards &&= isCard;
    this.hinted ??= setImmediate(() => {
      const full = this.onlyCards ? this.full : this.waiting;
      this.hinted = null;
      this.onlyCards = true;
      if (this.canTakeMore(full)) this.wake();
    });
  }

  private wake(): void {
    this.woken = true;
    this.wakeUp();
  }

  private get busy(): string[] {
    const sinceMs = this.clock.monotonicMs() - IN_ORDER_FOR_MS;
    return [...this.inFlight].filter(([, each]) => each.sinceMs > sinceMs).map(([work]) => work.lane);
  }

  /** True if the worker could begin new work, which is always for the configured lane. */
  private canTakeMore(full: readonly string[]): boolean {
    const taken = [...full, ...this.busy];
    return this.lanes.current.some((lane) => !taken.includes(lane));
  }

  private async run(): Promise<void> {
    await this.guarded(() => this.catchUp());
    while (!this.stop.signal.aborted) {
      this.woken = false;
      const restMs = await this.guarded(() => this.next());
      if (restMs > 0) await this.rest(restMs);
    }
  }

  /** Enqueues the work that was missed while no replica ran, or while the channel was off. */
  private async catchUp(): Promise<number> {
    let [cards, outcomes] = [0, 0];
    for (const channel of this.channels.all) {
      const missed = await channel.catchUp();
      cards += missed.cards;
      outcomes += missed.outcomes;
    }
    if (cards + outcomes > 0) {
      this.log.event(
        'info',
        'escalation.caught-up',
        { cards, outcomes },
        'cards and outcomes that were missing are sent',
      );
    }
    return 0;
  }

  /** Begins the next work, if there is any. @returns the rest before the next poll, in milliseconds. */
  private async next(): Promise<number> {
    const reachable = this.channels.all.some((channel) => channel.reachable);
    if (!reachable || this.inFlight.size >= MAX_IN_FLIGHT) return POLL_MS;
    const claim = await this.outbox.claim([...this.busy, ...this.channels.away]);
    this.waiting = claim.work === null ? claim.waiting : [];
    this.full = claim.work === null ? claim.full : [];
    if (claim.work === null) return Math.min(POLL_MS, Math.max(1, claim.waitMs ?? POLL_MS));
    const { work } = claim;
    const done = withNewCorrelation(() => this.do(work)).finally(() => {
      this.inFlight.delete(work);
      this.wake();
    });
    this.inFlight.set(work, { done, sinceMs: this.clock.monotonicMs() });
    return 0;
  }

  /** Never rejects: work that cannot be requeued becomes available when its lease ends. */
  private async do(work: Work): Promise<void> {
    await this.guarded(async () => {
      let answers = false;
      try {
        const channel = this.channels.of(work.lane);
        if (work.failedBefore) {
          await channel.check();
          answers = true;
        }
        if (await channel.deliver(work)) await this.outbox.laneWorks(work.lane);
      } catch (error) {
        await this.giveBack(work, error, answers);
      } finally {
        await this.carrier.cancelSlot(work.lane, work.slot);
      }
      return 0;
    });
  }

  /** @param answers true if the channel answered right before this failed. */
  private async giveBack(work: Work, error: unknown, answers: boolean): Promise<void> {
    const message = error instanceof DeliveryFailure ? error.message : describeError(error);
    const { kind, lane, attempts } = work;
    const fields = {
      kind,
      lane,
      attempts,
      error: message,
      ...('approvalId' in work ? { approvalId: work.approvalId } : {}),
    };
    const scope = error instanceof DeliveryFailure ? error.scope : null;
    if (work.kind === 'card' && isRefused(error)) await this.outbox.refuse(work);
    if (scope === 'ended') {
      this.log.event('info', 'escalation.lane-ended', fields, 'a person ended their own lane');
      return this.outbox.finish(work);
    }
    if (scope === 'message') {
      this.log.event(
        'error',
        'escalation.dead',
        fields,
        'the channel will never take this; it is kept as a dead letter',
      );
      return this.outbox.bury(work, message);
    }
    // Debug only: a line for each retry would bury the important one, which the chat itself has logged.
    this.log.event('debug', 'escalation.postponed', { ...fields, scope }, 'tried again later');
    if (scope === null)
      this.log.event(
        'error',
        'escalation.failed',
        fields,
        'this failed here, not in the channel; tried again',
      );
    return this.outbox.postpone(work, await this.waitAfter(work, error, answers), message);
  }

  /** Pauses the lane according to the failure. @returns the wait of the work itself, in milliseconds. */
  private async waitAfter(work: Work, error: unknown, answers: boolean): Promise<number> {
    if (!(error instanceof DeliveryFailure)) return RETRY_MS;
    switch (error.scope) {
      case 'lane': {
        const { failures, pauseMs } = await this.outbox.pauseLane(work.lane, null);
        // The lane worked until now: perhaps only this message fails, and its retries must not use up the chat's room.
        const ownMs = failures === 1 ? backoffMs(work.attempts) : 0;
        return Math.max(pauseMs + AFTER_LANE_MS, ownMs);
      }
      case 'busy':
        // The channel itself holds back everything that this wait concerns (telegram.md 5).
        if (error.retryAfterMs === null) await this.outbox.pauseLane(work.lane, null);
        return 0;
      case 'unknown':
      case 'connection':
        if (answers) return this.waitAlone(work);
        await this.outbox.pauseLane(work.lane, UNPROVEN_FAULT_PAUSE_MS);
        return 0;
      case 'files':
        return backoffMs(work.attempts);
      case 'message':
      case 'ended':
        return 0;
    }
  }

  /**
   * Delays work for which the channel fails although it answers, because of the message or its lane. Retried at once, the
   * oldest work would open the circuit each time, and nothing else would ever be sent.
   */
  private async waitAlone(work: Work): Promise<number> {
    const { pauseMs } = await this.outbox.pauseLane(work.lane, null);
    await this.outbox.demote(work);
    return Math.max(pauseMs + AFTER_LANE_MS, backoffMs(work.attempts + ALONE_DOUBLINGS));
  }

  private async renew(): Promise<void> {
    const works = [...this.inFlight.keys()];
    if (works.length > 0) {
      await this.guarded(async () => {
        await this.outbox.renew(works);
        return 0;
      });
    }
  }

  /** Logs a database problem once; the loop continues. */
  private async guarded(work: () => Promise<number>): Promise<number> {
    try {
      const restMs = await work();
      this.failures.succeed();
      return restMs;
    } catch (error) {
      this.failures.fail(error);
      return POLL_MS;
    }
  }

  private rest(ms: number): Promise<void> {
    if (this.woken || this.stop.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
