import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { SchedulerRegistry } from '@nestjs/schedule';
import { singleFlight } from '../../kernel/single-flight';
import { FailureLog } from '../../logging/failure-log';
import { Log } from '../../logging/log';
import { Lanes } from '../../outbox/lanes';
import { ChainBegun, NobodyReachable, StepBegun } from '../approval-events';
import { ActivePolicy } from '../../policy/active-policy';
import { ChainStore } from './chain-store';

const JOB = 'chains';
/** A step begins at most one second after its time. */
const EVERY_MS = 500;
const STEPS_AT_ONCE = 200;

/** Begins the steps of chains at their times. Any number of replicas may run concurrently. */
@Injectable()
export class ChainRunner implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private stopped = false;
  private woken = false;
  private readonly failures: FailureLog;

  constructor(
    private readonly store: ChainStore,
    private readonly policy: ActivePolicy,
    private readonly lanes: Lanes,
    private readonly scheduler: SchedulerRegistry,
    private readonly events: EventBus,
    private readonly log: Log,
  ) {
    this.failures = new FailureLog(log, {
      event: 'chain.failed',
      message: 'the steps of chains cannot be run; they are retried',
    });
  }

  onApplicationBootstrap(): void {
    // With every channel off there is nobody to ask; the steps wait until one is on.
    if (this.lanes.current.length === 0) return;
    this.events.subscribe((event) => {
      if (event instanceof ChainBegun) this.wake();
    });
    this.scheduler.addInterval(
      JOB,
      setInterval(() => this.wake(), EVERY_MS),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.scheduler.doesExist('interval', JOB)) this.scheduler.deleteInterval(JOB);
    this.stopped = true;
    await this.run.current();
  }

  private wake(): void {
    this.woken = true;
    void this.run();
  }

  /** Runs every step that is due; a call during a run joins it. Never rejects. */
  private readonly run = singleFlight(async () => {
    try {
      while (this.woken && !this.stopped) {
        this.woken = false;
        const { runs, looked } = await this.store.runDue(STEPS_AT_ONCE, this.quietAt);
        for (const run of runs) this.report(run);
        // A step that reaches nobody is due again.
        if (looked === STEPS_AT_ONCE || runs.some((run) => 'lanes' in run && run.lanes === 0))
          this.woken = true;
      }
      this.failures.succeed();
    } catch (error) {
      this.failures.fail(error);
    }
  });

  private readonly quietAt = (at: Date): ReadonlyMap<string, Date> =>
    this.policy.people?.quietAt(at) ?? new Map<string, Date>();

  private report({
    id,
    correlationId,
    ...run
  }: Awaited<ReturnType<ChainStore['runDue']>>['runs'][number]): void {
    const approval = { id, correlationId };
    const fields = { correlationId, approvalId: id };
    if (run.cause === 'unreachable') {
      this.log.event('error', 'escalation.unreachable', fields, 'no step of the chain reaches anybody');
      this.events.publish(new NobodyReachable(approval));
      return;
    }
    if (run.cause === 'quiet') {
      const { step, until } = run;
      const waits = 'the last step of a chain waits: it is the quiet hours of all its people';
      this.log.event('info', 'escalation.quiet', { ...fields, step, until: until.toISOString() }, waits);
      return;
    }
    const { step, cause, lanes, removed } = run;
    if (removed !== null)
      this.log.event(
        'warn',
        'escalation.destination-removed',
        { ...fields, step, removed },
        'a step of a chain names chats that the active policy names no more; they are not asked',
      );
    this.log.event('info', 'escalation.step', { ...fields, step, cause, lanes }, 'a step of a chain began');
    this.events.publish(new StepBegun(approval, step, cause, lanes));
  }
}
