import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { Clock } from '../../kernel/clock';
import { pause } from '../../kernel/pause';
import { singleFlight } from '../../kernel/single-flight';
import { FailureLog } from '../../logging/failure-log';
import { Log } from '../../logging/log';
import { RecordStore } from './record-store';

const JOB = 'records';
const EVERY_MS = 10_000;
/** After each batch the job rests for this many times its duration, so that requests of agents go first. */
const REST_PER_WORK = 4;

/** Records the requests that have ended, for the plots and the search. A new installation and an upgraded one begin at the first. */
@Injectable()
export class RecordJob implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private readonly failures: FailureLog;

  constructor(
    private readonly store: RecordStore,
    private readonly scheduler: SchedulerRegistry,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.failures = new FailureLog(log, {
      event: 'records.failed',
      message: 'ended requests cannot be recorded for plots and search; it is retried',
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

  /** Records everything that has ended; a call during a run joins it. Never rejects. */
  readonly run = singleFlight(async () => {
    try {
      while (!this.stop.signal.aborted) {
        const beganAtMs = this.clock.monotonicMs();
        if (!(await this.store.record())) break;
        await pause(REST_PER_WORK * (this.clock.monotonicMs() - beganAtMs), this.stop.signal);
      }
      this.failures.succeed();
    } catch (error) {
      this.failures.fail(error);
    }
  });
}
