import { OutcomeWindow } from './outcome-window';

export interface BreakerThresholds {
  /** Open at this many failures in a row … */
  readonly consecutiveFailures: number;
  /** … or when at least this fraction, above 0 and at most 1, of the calls in the window failed … */
  readonly failureRate: number;
  /** … provided the window holds at least this many calls. */
  readonly minimumThroughput: number;
  readonly samplingSeconds: number;
}

/** Counts outcomes against the thresholds: failures in a row, and the failure rate of the window. */
export class BreakerCounts {
  private readonly window: OutcomeWindow;
  private inARow = 0;

  constructor(private readonly thresholds: BreakerThresholds) {
    this.window = new OutcomeWindow(thresholds.samplingSeconds * 1000);
  }

  /**
   * Records an outcome, also a success: the tenth call may complete the minimum of a window that is half failures.
   *
   * @returns true if the circuit should be open.
   */
  record(failed: boolean, nowMs: number): boolean {
    this.inARow = failed ? this.inARow + 1 : 0;
    this.window.record(failed, nowMs);
    const { consecutiveFailures, failureRate, minimumThroughput } = this.thresholds;
    return (
      this.inARow >= consecutiveFailures ||
      (this.window.calls >= minimumThroughput && this.window.failureRate >= failureRate)
    );
  }

  clear(): void {
    this.inARow = 0;
    this.window.clear();
  }

  get consecutiveFailures(): number {
    return this.inARow;
  }

  failureRate(nowMs: number): number {
    this.window.slideTo(nowMs);
    return this.window.failureRate;
  }
}
