import { Clock } from '../../src/kernel/clock';

/** A clock that stands still until it is moved. */
export class FakeClock extends Clock {
  private elapsedMs = 0;

  constructor(private wallMs = Date.parse('2026-01-01T00:00:00.000Z')) {
    super();
  }

  now(): Date {
    return new Date(this.wallMs);
  }

  monotonicMs(): number {
    return this.elapsedMs;
  }

  /** Time passes: both hands move. */
  advance(ms: number): void {
    this.elapsedMs += ms;
    this.wallMs += ms;
  }

  /** The wall clock is set, as NTP or an operator does; no time passes. */
  stepWallClock(ms: number): void {
    this.wallMs += ms;
  }
}
