import type { Actor } from './approval';

/**
 * Limits the rate of an agent's requests and an operator's decisions. Reads, waits and cancellations are not limited,
 * except refused ones.
 */
export abstract class RateLimits {
  /** Counts one request of the key, and its bytes. Rejects with RateLimited. */
  abstract ask(keyId: string, bytes: number): Promise<void>;

  /** Returns the count and the bytes of a replay, which is free. */
  abstract giveBack(keyId: string, bytes: number): Promise<void>;

  /** Returns the bytes of a request that was not stored; it still counts as an attempt. */
  abstract giveBackBytes(keyId: string, bytes: number): Promise<void>;

  /** Counts one decision. Rejects with RateLimited. */
  abstract decide(by: Actor): Promise<void>;

  /** Counts one refused attempt, because each writes an audit row. Rejects with RateLimited. */
  abstract refuse(by: Actor): Promise<void>;
}
