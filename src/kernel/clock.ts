/**
 * The time of this process. Logic takes a `Clock`, never `Date.now()`, so that tests control it.
 *
 * It is for logs, token lifetimes and local waiting. Approvals are decided on the database's time.
 */
export abstract class Clock {
  /** The wall-clock time; may step backwards. */
  abstract now(): Date;

  /** Milliseconds on a clock that only goes forward; the origin is arbitrary. */
  abstract monotonicMs(): number;
}

export class SystemClock extends Clock {
  now(): Date {
    return new Date();
  }

  monotonicMs(): number {
    return performance.now();
  }
}
