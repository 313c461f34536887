import type { Actor } from './approval';

/** How fast an agent may ask and an operator may decide. Reads, waits and cancellations are not limited, but for those that are refused. */
export abstract class RateLimits {
  /** Counts one request of the key. Rejects with RateLimited. */
  abstract ask(keyId: string): Promise<void>;

  /** The request turned out to be a repetition, which costs nothing. */
  abstract giveBack(keyId: string): Promise<void>;

  /** Counts one decision. Rejects with RateLimited. */
  abstract decide(by: Actor): Promise<void>;

  /** Counts one attempt that is refused, since each is written down. Rejects with RateLimited. */
  abstract refuse(by: Actor): Promise<void>;
}
