import type { IBreaker } from 'cockatiel';
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

/**
 * When a circuit opens: on consecutive failures or on the failure rate, whichever comes first.
 *
 * Both at once, because cockatiel's ConsecutiveBreaker misses a peer that fails every other call, and its
 * SamplingBreaker is strictly greater and wants calls per second instead of a count.
 */
export class ConsecutiveOrRateBreaker implements IBreaker {
  /** cockatiel would save it between processes; ours lives as long as its process. */
  readonly state = undefined;
  private readonly window: OutcomeWindow;
  private inARow = 0;

  constructor(private readonly thresholds: BreakerThresholds) {
    this.window = new OutcomeWindow(thresholds.samplingSeconds * 1000);
  }

  /**
   * Notes an outcome, also a success: the tenth call may complete the minimum of a window that is half failures.
   *
   * @returns whether the circuit should be open.
   */
  record(failed: boolean, nowMs: number): boolean {
    this.inARow = failed ? this.inARow + 1 : 0;
    this.window.record(failed, nowMs);
    return this.failure();
  }

  /** cockatiel's question after a failure, noted already by `record`: open the circuit? */
  failure(): boolean {
    const { consecutiveFailures, failureRate, minimumThroughput } = this.thresholds;
    return (
      this.inARow >= consecutiveFailures ||
      (this.window.calls >= minimumThroughput && this.window.failureRate >= failureRate)
    );
  }

  /** cockatiel's notice of a success; whoever owns this clears when the circuit closes, by trial or by hand. */
  success(): void {
    // Noted already by `record`.
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
