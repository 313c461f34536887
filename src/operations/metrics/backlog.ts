import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../../kernel/clock';
import { singleFlight } from '../../kernel/single-flight';
import { FailureLog } from '../../logging/failure-log';
import { Log } from '../../logging/log';
import { BacklogStore, type BacklogCounts } from './backlog-store';
import { PendingEstimate } from './pending-estimate';

/** Maximum age of a reading that scrapes of several collectors, and the gauges of one scrape, share. */
const FRESH_MS = 1_000;
/** Maximum wait of a scrape for the database: Prometheus gives up after 10 s, and the other metrics matter now. */
const WAIT_MS = 1_000;

/** Reads the waiting work from the database, at most once a second. */
@Injectable()
export class Backlog implements OnModuleInit {
  private latest: { readonly counts: BacklogCounts; readonly atMs: number } | null = null;
  private readonly failures: FailureLog;

  constructor(
    private readonly store: BacklogStore,
    private readonly estimate: PendingEstimate,
    private readonly clock: Clock,
    log: Log,
  ) {
    this.failures = new FailureLog(log, {
      level: 'warn',
      event: 'metrics.backlog-unread',
      message: 'gauges of the database are left out',
    });
  }

  /** Reads before any traffic, so that the estimate starts from the true number. */
  async onModuleInit(): Promise<void> {
    await this.read();
  }

  /** Null when the database does not answer within a second: an old number would look like a true one. */
  async read(): Promise<BacklogCounts | null> {
    if (this.latest && this.clock.monotonicMs() - this.latest.atMs <= FRESH_MS) return this.latest.counts;
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<null>((resolve) => (timer = setTimeout(resolve, WAIT_MS, null)));
    try {
      return await Promise.race([this.count(), tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  private readonly count = singleFlight(() => this.countNow());

  private async countNow(): Promise<BacklogCounts | null> {
    const corrected = this.estimate.reading();
    try {
      const counts = await this.store.count();
      corrected(counts.pending);
      this.latest = { counts, atMs: this.clock.monotonicMs() };
      this.failures.succeed();
      return counts;
    } catch (error) {
      this.failures.fail(error);
      return null;
    }
  }
}

/** Reads one count for a gauge, which is left out of a scrape while the database is unavailable. */
export const ofBacklog = (count: keyof BacklogCounts) => ({
  from: [Backlog] as const,
  read: async (backlog: Backlog) => (await backlog.read())?.[count] ?? null,
});
