import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CONFIG, type Config } from '../../config/environment';
import { singleFlight } from '../../kernel/single-flight';
import { FailureLog } from '../../logging/failure-log';
import { Log } from '../../logging/log';
import { DigestStore } from './digest-store';

const JOB = 'digest';
/** A run without a digest that is due reads one row. */
const EVERY_MS = 15_000;

/** Tells the operators, once in each interval, what was decided: by rules, which show no card, and by people. */
@Injectable()
export class DigestJob implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly intervalMinutes: number;
  private readonly failures: FailureLog;

  constructor(
    private readonly store: DigestStore,
    private readonly scheduler: SchedulerRegistry,
    private readonly log: Log,
    @Inject(CONFIG) config: Config,
  ) {
    this.intervalMinutes = config.digest.intervalMinutes;
    this.failures = new FailureLog(log, {
      event: 'digest.failed',
      message: 'the digest cannot be made; it is retried',
    });
  }

  onApplicationBootstrap(): void {
    if (this.intervalMinutes === 0) return;
    this.scheduler.addInterval(
      JOB,
      setInterval(() => void this.run(), EVERY_MS),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.scheduler.doesExist('interval', JOB)) this.scheduler.deleteInterval(JOB);
    await this.run.current();
  }

  /** Sends the digest, if it is due; a call during a run joins it. Never rejects. */
  readonly run = singleFlight(async () => {
    try {
      const counts = await this.store.send(this.intervalMinutes);
      this.failures.succeed();
      if (counts) this.log.event('info', 'digest.enqueued', { ...counts }, 'a digest is on its way');
    } catch (error) {
      this.failures.fail(error);
    }
  });
}
