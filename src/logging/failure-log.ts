import { describeError } from '../kernel/describe-error';
import type { Log, LogLevel } from './log';

interface Words {
  readonly level?: LogLevel;
  /** Dotted name of the log event. */
  readonly event: string;
  readonly message: string;
}

/** Logs the first failure of several in a row, and the recovery if there are words for it. */
export class FailureLog {
  private failedLast = false;

  constructor(
    private readonly log: Log,
    private readonly failed: Words,
    private readonly recovered: Words | null = null,
  ) {}

  /** True if the last attempt failed. */
  get failing(): boolean {
    return this.failedLast;
  }

  succeed(): void {
    if (this.failedLast && this.recovered !== null) {
      const { level = 'info', event, message } = this.recovered;
      this.log.event(level, event, {}, message);
    }
    this.failedLast = false;
  }

  fail(error: unknown): void {
    if (!this.failedLast) {
      const { level = 'error', event, message } = this.failed;
      this.log.event(level, event, { error: describeError(error) }, message);
    }
    this.failedLast = true;
  }
}
