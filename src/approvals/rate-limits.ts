import type { Actor } from './approval';

/** How fast an agent may ask and an operator may decide. Reads, waits and cancellations are not limited, but for those that are refused. */
export abstract class RateLimits {
  /** Counts one request of the key, and its bytes. Rejects with RateLimited. */
  abstract ask(keyId: string, bytes: number): Promise<void>;

  /** The request turned out to be a repetition, which costs nothing. */
  abstract giveBack(keyId: string, bytes: number): Promise<void>;

  /** The request was not stored: it was an attempt, and takes no space. */
  abstract giveBackBytes(keyId: string, bytes: number): Promise<void>;

  /** Counts one decision. Rejects with RateLimited. */
  abstract decide(by: Actor): Promise<void>;

  /** Counts one attempt that is refused, since each is written down. Rejects with RateLimited. */
  abstract refuse(by: Actor): Promise<void>;
}
