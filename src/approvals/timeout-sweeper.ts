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
import { describeError, Log } from '../logging/log';
import { CancelApprovalCommand } from './commands/cancel-approval';
import { LookForDueQuery } from './queries/look-for-due';

const JOB = 'timeout-sweep';
/** A sweep that has not succeeded for this many intervals is late, and health says so. */
const LATE_AFTER_INTERVALS = 3;

/**
 * A sweep begins shortly before where the last one found nothing left: a request commits after its time was read, and
 * may be asked for a second only.
 */
const LOOK_BACK_MS = 3_000;
/**
 * Every so many sweeps begin at the very beginning: for a request whose commit took longer, or that is pending again
 * since a standby took over which had not heard of its end.
 */
const SWEEPS_PER_FULL_SWEEP = 12;

/** Batches side by side when much is due at once: one is written while the other is read. */
const LANES = 2;

export interface SweeperHealth {
  readonly healthy: boolean;
  /** Seconds since the last sweep that went through. */
  readonly lagSeconds: number;
  /** How long that sweep took; 0 before the first. */
  readonly durationSeconds: number;
}

/** Ends what nobody decided in time: every few seconds, batch by batch, side by side with other replicas. */
@Injectable()
export class TimeoutSweeper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly intervalMs: number;
  private readonly batchSize: number;
  private running: Promise<void> | null = null;
  private succeededAtMs: number;
  private durationMs = 0;
  private sweepsUntilFull = 0;
  /** Where sweeps begin, by the database's clock; null: at the very beginning. It only saves work. */
  private watermark: Date | null = null;
  private failing = false;

  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly scheduler: SchedulerRegistry,
    private readonly clock: Clock,
    private readonly log: Log,
    @Inject(CONFIG) config: Config,
  ) {
    this.intervalMs = config.approvals.sweepIntervalSeconds * 1000;
    this.batchSize = config.approvals.sweepBatchSize;
    this.succeededAtMs = clock.monotonicMs();
  }

  onApplicationBootstrap(): void {
    // Registered here, not by @Interval, because the interval is configuration.
    this.scheduler.addInterval(
      JOB,
      setInterval(() => void this.sweep(), this.intervalMs),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.scheduler.doesExist('interval', JOB)) this.scheduler.deleteInterval(JOB);
    await this.running;
  }

  /** One sweep of everything due; a call during a sweep joins it. Never rejects. */
  sweep(): Promise<void> {
    this.running ??= this.sweepAll().finally(() => (this.running = null));
    return this.running;
  }

  health(): SweeperHealth {
    const lagMs = this.clock.monotonicMs() - this.succeededAtMs;
    return {
      healthy: lagMs <= this.intervalMs * LATE_AFTER_INTERVALS,
      lagSeconds: lagMs / 1000,
      durationSeconds: this.durationMs / 1000,
    };
  }

  /** @returns whether there may be more that is due. */
  private async endBatch(after: Date | null): Promise<boolean> {
    const ended = await this.commands.execute(
      new CancelApprovalCommand({ cause: 'timeout', limit: this.batchSize, after }),
    );
    return ended.length === this.batchSize;
  }

  /** Rejects only when every lane has ended, so that none works on when the service has stopped. */
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
    // What is still due is in other hands, and may come back from them.
    if (!look.due) this.watermark = new Date(look.until.getTime() - LOOK_BACK_MS);
  }

  private async sweepAll(): Promise<void> {
    const startedAtMs = this.clock.monotonicMs();
    const full = this.sweepsUntilFull <= 0;
    try {
      await this.endAllDue(full ? null : this.watermark);
      this.sweepsUntilFull = full ? SWEEPS_PER_FULL_SWEEP : this.sweepsUntilFull - 1;
      this.succeededAtMs = this.clock.monotonicMs();
      this.durationMs = this.succeededAtMs - startedAtMs;
      if (this.failing) this.log.event('info', 'sweep.recovered', {}, 'the sweep works again');
      this.failing = false;
    } catch (error) {
      if (!this.failing)
        this.log.event(
          'error',
          'sweep.failed',
          { error: describeError(error) },
          'the sweep failed; it is tried again',
        );
      this.failing = true;
    }
  }
}
