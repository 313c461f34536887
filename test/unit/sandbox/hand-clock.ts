import { Clock } from '../../../src/kernel/clock';

/** A clock that stands until it is moved. */
export class HandClock extends Clock {
  private ms = 1_700_000_000_000;

  now(): Date {
    return new Date(this.ms);
  }

  monotonicMs(): number {
    return this.ms;
  }

  advanceMs(ms: number): void {
    this.ms += ms;
  }
}
