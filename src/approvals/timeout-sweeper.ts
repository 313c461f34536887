import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CONFIG, type Config } from '../config/environment';
import { Clock } from '../kernel/clock';
import { singleFlight } from '../kernel/single-flight';
import { FailureLog } from '../logging/failure-log';
import { Log } from '../logging/log';
import { CancelApprovalCommand } from './commands/cancel-approval';
import { SignEndingsCommand } from './commands/sign-endings';
import { LookForDueQuery } from './queries/look-for-due';

const JOB = 'timeout-sweep';
/** A sweep that has not succeeded for this many intervals is late, and health reports it. */
const LATE_AFTER_INTERVALS = 3;

/**
 * A sweep begins shortly before the point where the last one found nothing left. A request commits after its time was
 * read, and its timeout may be only one second.
 */
const LOOK_BACK_MS = 3_000;
/**
 * After this many sweeps one starts from the very beginning. It finds requests whose commit took longer, and requests
 * that are pending again after a failover to a standby that had not received their end.
 */
const SWEEPS_PER_FULL_SWEEP = 12;

/** Number of parallel batches when much is due at once: one is written while the other is read. */
const LANES = 2;

/** Number of receipts signed in one transaction: a few milliseconds of work, and at most 50 large requests to parse. */
const SIGNED_AT_ONCE = 50;

export interface SweeperHealth {
  readonly healthy: boolean;
  /** Seconds since the last successful sweep. */
  readonly lagSeconds: number;
  /** Duration of that sweep; 0 before the first. */
  readonly durationSeconds: number;
}

/**
 * Ends requests that nobody decided in time: every few seconds, in batches, in parallel with other replicas. Afterwards
 * it signs the receipts of what ended undecided, and of what a replica left unsigned that is gone. A caller that reads
 * an ending before that has it signed at once.
 */
@Injectable()
export class TimeoutSweeper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly intervalMs: number;
  private readonly batchSize: number;
  private succeededAtMs: number;
  private durationMs = 0;
  private sweepsUntilFull = 0;
  /** Start of the next sweep, on the database's clock; null: the very beginning. An optimisation only. */
  private watermark: Date | null = null;
  private stopped = false;
  private readonly failures: FailureLog;
  private readonly signFailures: FailureLog;

  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly scheduler: SchedulerRegistry,
    private readonly clock: Clock,
    log: Log,
    @Inject(CONFIG) config: Config,
  ) {
    this.intervalMs = config.approvals.sweepIntervalSeconds * 1000;
    this.batchSize = config.approvals.sweepBatchSize;
    this.succeededAtMs = clock.monotonicMs();
    this.failures = new FailureLog(
      log,
      { event: 'sweep.failed', message: 'the sweep failed; it is retried' },
      { event: 'sweep.recovered', message: 'the sweep works again' },
    );
    this.signFailures = new FailureLog(log, {
      event: 'sweep.sign-failed',
      message: 'endings could not be signed; it is retried',
    });
  }

  onApplicationBootstrap(): void {
    // Registered here, not by @Interval, because the interval is configuration.
    this.scheduler.addInterval(
      JOB,
      setInterval(() => void this.sweep().then(this.sign), this.intervalMs),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.scheduler.doesExist('interval', JOB)) this.scheduler.deleteInterval(JOB);
    this.stopped = true;
    await this.sweep.current();
    await this.sign.current();
  }

  /** Sweeps everything due once; a call during a sweep joins it. Never rejects. */
  readonly sweep = singleFlight(() => this.sweepAll());

  /** Signs all endings without a receipt; a call meanwhile joins it. Never rejects. */
  readonly sign = singleFlight(() => this.signAll());

  health(): SweeperHealth {
    const lagMs = this.clock.monotonicMs() - this.succeededAtMs;
    return {
      healthy: lagMs <= this.intervalMs * LATE_AFTER_INTERVALS,
      lagSeconds: lagMs / 1000,
      durationSeconds: this.durationMs / 1000,
    };
  }

  /** @returns true if there may be more that is due. */
  private async endBatch(after: Date | null): Promise<boolean> {
    const ended = await this.commands.execute(
      new CancelApprovalCommand({ cause: 'timeout', limit: this.batchSize, after }),
    );
    return ended.length === this.batchSize;
  }

  /** Rejects only after every lane has ended, so that none goes on after the service stopped. */
  private async endAllBatches(after: Date | null): Promise<void> {
    const lanes = Array.from({ length: LANES }, async () => {
      while (await this.endBatch(after));
    });
    await Promise.allSettled(lanes);
    await Promise.all(lanes);
  }

  private async endAllDue(after: Date | null): Promise<void> {
    const before = await this.queries.execute(new LookForDueQuery(after));
    if (before.due) await this.endAllBatches(after);
    const look = before.due ? await this.queries.execute(new LookForDueQuery(after)) : before;
    // Requests still due are locked by another replica, which may fail to end them.
    if (!look.due) this.watermark = new Date(look.until.getTime() - LOOK_BACK_MS);
  }

  private async signAll(): Promise<void> {
    try {
      const command = new SignEndingsCommand(SIGNED_AT_ONCE);
      while (!this.stopped && (await this.commands.execute(command)) === SIGNED_AT_ONCE);
      this.signFailures.succeed();
    } catch (error) {
      this.signFailures.fail(error);
    }
  }

  private async sweepAll(): Promise<void> {
    const startedAtMs = this.clock.monotonicMs();
    const full = this.sweepsUntilFull <= 0;
    try {
      await this.endAllDue(full ? null : this.watermark);
      this.sweepsUntilFull = full ? SWEEPS_PER_FULL_SWEEP : this.sweepsUntilFull - 1;
      this.succeededAtMs = this.clock.monotonicMs();
      this.durationMs = this.succeededAtMs - startedAtMs;
      this.failures.succeed();
    } catch (error) {
      this.failures.fail(error);
    }
  }
}
