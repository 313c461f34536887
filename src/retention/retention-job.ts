import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CONFIG, type Config } from '../config/environment';
import { LeaseStore } from '../database/lease-store';
import { Clock } from '../kernel/clock';
import { pause } from '../kernel/pause';
import { singleFlight } from '../kernel/single-flight';
import { FailureLog } from '../logging/failure-log';
import { Log } from '../logging/log';
import { ApprovalsRemoved } from './retention-events';
import { RetentionStore } from './retention-store';

const JOB = 'retention';
/** Interval of runs. It is short so that rows do not stay much longer after a restart; an empty run is cheap. */
const EVERY_MS = 10 * 60_000;
/** One replica at a time; renewed before each batch, which ends long before this. */
const LEASE_SECONDS = 60;
/** Small enough not to delay operators' decisions: a batch takes about ten milliseconds. */
const BATCH_SIZE = 200;
/** After each batch the job rests for this many times its duration. */
const REST_PER_WORK = 4;
/** Sorts before every id. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** Removes approvals settled more than `APPROVAL_RETENTION_DAYS` ago, in small batches, so that tables stay bounded. */
@Injectable()
export class RetentionJob implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly days: number;
  private readonly streamed: boolean;
  private held = false;
  private readonly stop = new AbortController();
  private succeededAtMs: number;
  private readonly failures: FailureLog;

  constructor(
    private readonly store: RetentionStore,
    private readonly leases: LeaseStore,
    private readonly scheduler: SchedulerRegistry,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
    @Inject(CONFIG) config: Config,
  ) {
    this.days = config.approvals.retentionDays;
    this.streamed = config.auditStream !== null;
    this.succeededAtMs = clock.monotonicMs();
    this.failures = new FailureLog(log, {
      event: 'retention.failed',
      message: 'old rows cannot be removed; it is retried',
    });
  }

  onApplicationBootstrap(): void {
    this.scheduler.addInterval(
      JOB,
      setInterval(() => void this.run(), EVERY_MS),
    );
  }

  /** Stops after the current batch. */
  async beforeApplicationShutdown(): Promise<void> {
    if (this.scheduler.doesExist('interval', JOB)) this.scheduler.deleteInterval(JOB);
    this.stop.abort();
    await this.run.current();
  }

  /** Seconds since this replica last removed everything due, or left it to another. */
  get lagSeconds(): number {
    return (this.clock.monotonicMs() - this.succeededAtMs) / 1000;
  }

  /** Removes everything due, unless another replica is doing so; a call during a run joins it. Never rejects. */
  readonly run = singleFlight(() => this.removeAll());

  private async removeAll(): Promise<void> {
    const startedAtMs = this.clock.monotonicMs();
    let approvals = 0;
    let auditRows = 0;
    let lastId = NO_ID;
    try {
      await this.inBatches(async () => {
        const removed = await this.store.remove(this.days, BATCH_SIZE, lastId);
        approvals += removed.count;
        lastId = removed.lastId ?? lastId;
        this.events.publish(new ApprovalsRemoved(removed.count));
        return removed.count === BATCH_SIZE;
      });
      await this.inBatches(async () => {
        const { removed, more, held } = await this.store.pruneAudit(this.days, this.streamed);
        auditRows += removed;
        this.tellHeld(held);
        return more;
      });
      await this.inBatches(async () => {
        await this.store.removeDeadLetters(this.days);
        await this.store.removeGrants(this.days);
        await this.store.removeHours(this.days);
        return false;
      });
      await this.leases.release(JOB);
      this.succeededAtMs = this.clock.monotonicMs();
      this.failures.succeed();
    } catch (error) {
      this.failures.fail(error);
    }
    if (approvals + auditRows > 0) {
      const seconds = (this.clock.monotonicMs() - startedAtMs) / 1000;
      const fields = { approvals, auditRows, olderThanDays: this.days, seconds };
      this.log.event('info', 'retention.removed', fields, 'old rows were removed');
    }
  }

  /** Tells once that old audit rows stay. */
  private tellHeld(held: boolean): void {
    const message = 'audit rows past their time stay until AUDIT_STREAM has taken them';
    if (held && !this.held) this.log.event('warn', 'retention.audit-held', {}, message);
    this.held = held;
  }

  /** Runs batch after batch while there is more, this replica holds the lease and the service runs. */
  private async inBatches(removeSome: () => Promise<boolean>): Promise<void> {
    while (!this.stop.signal.aborted && (await this.leases.take(JOB, LEASE_SECONDS))) {
      const beganAtMs = this.clock.monotonicMs();
      if (!(await removeSome())) return;
      await pause(REST_PER_WORK * (this.clock.monotonicMs() - beganAtMs), this.stop.signal);
    }
  }
}
