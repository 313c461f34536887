import type { Actor } from './approval';

/** How fast an agent may ask and an operator may decide. Nothing else is limited: reads, waits and cancellations go on. */
export abstract class RateLimits {
  /** Counts one request of the key. Rejects with RateLimited. */
  abstract ask(keyId: string): Promise<void>;

  /** The request turned out to be a repetition, which costs nothing. */
  abstract giveBack(keyId: string): Promise<void>;

  /** Counts one decision. Rejects with RateLimited. */
  abstract decide(by: Actor): Promise<void>;
}
