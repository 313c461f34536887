import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { SchedulerRegistry } from '@nestjs/schedule';
import { singleFlight } from '../../kernel/single-flight';
import { FailureLog } from '../../logging/failure-log';
import { Log } from '../../logging/log';
import { ActivePolicy } from '../../policy/active-policy';
import { FatigueWarned } from '../approval-events';
import { FatigueStore } from './fatigue-store';

const JOB = 'fatigue';
/** A run that is not due writes nothing. */
const EVERY_MS = 30_000;

/** Warns the leads about people who decide faster or more than anybody reads, and reports each week. */
@Injectable()
export class FatigueJob implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly failures: FailureLog;

  constructor(
    private readonly store: FatigueStore,
    private readonly policy: ActivePolicy,
    private readonly scheduler: SchedulerRegistry,
    private readonly events: EventBus,
    private readonly log: Log,
  ) {
    this.failures = new FailureLog(log, {
      event: 'fatigue.failed',
      message: 'decisions of people cannot be counted; it is retried',
    });
  }

  onApplicationBootstrap(): void {
    this.scheduler.addInterval(
      JOB,
      setInterval(() => void this.run(), EVERY_MS),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.scheduler.doesExist('interval', JOB)) this.scheduler.deleteInterval(JOB);
    await this.run.current();
  }

  private readonly quietAt = (at: Date): readonly string[] => [
    ...(this.policy.people?.quietAt(at).keys() ?? []),
  ];

  /** Sends what is due; a call during a run joins it. Never rejects. */
  readonly run = singleFlight(async () => {
    try {
      for (const { person, cause } of (await this.store.warn(this.quietAt)) ?? []) {
        this.log.event(
          'warn',
          'people.fatigue',
          { person, cause },
          'a person decides faster than they can read',
        );
        this.events.publish(new FatigueWarned(cause));
      }
      const week = await this.store.report(this.quietAt);
      this.failures.succeed();
      if (week)
        this.log.event('info', 'people.week', { ...week }, 'the message about the week is on its way');
    } catch (error) {
      this.failures.fail(error);
    }
  });
}
