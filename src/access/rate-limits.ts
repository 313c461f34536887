import type { Person } from '../kernel/actor';

/** A counted request. Only the window that counted it gets its points back: a later one did not lose them. */
export interface CountedAsk {
  /** Returns the count and the bytes of a replay, which is free. */
  giveBack(): Promise<void>;

  /** Returns the bytes of a request that was not stored; it still counts as an attempt. */
  giveBackBytes(): Promise<void>;
}

/** A counted decision. */
export interface CountedDecision {
  /** Returns the count of an attempt that the database could not serve: the caller retries it. */
  giveBack(): Promise<void>;
}

/**
 * Limits the rate of an agent's requests and an operator's decisions. Reads, waits and cancellations have no rate,
 * except refused ones; other code limits how many of one key run or wait at a time.
 */
export abstract class RateLimits {
  /** Counts one request of the key, and its bytes. Rejects with RateLimited. */
  abstract ask(keyId: string, bytes: number): Promise<CountedAsk>;

  /** Counts one decision. Rejects with RateLimited. */
  abstract decide(by: Person): Promise<CountedDecision>;

  /** Counts one refused attempt, because each writes an audit row. Rejects with RateLimited. */
  abstract refuse(by: Person): Promise<void>;
}
