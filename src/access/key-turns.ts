import { Turns } from '../database/turns';
import { RateLimited } from '../kernel/errors';

/** Maximum calls of one key that run or wait. */
export const MAX_TURNS = 50;
const RETRY_AFTER_SECONDS = 5;

/**
 * Runs the list calls of each key one at a time. A list reads up to tens of MiB or a million rows, for a request of a
 * hundred bytes. Many at once would take every connection of the pool.
 */
export class KeyTurns {
  private readonly turns = new Turns();
  private readonly open = new Map<string, number>();

  /** `what` names the queued calls in plural, for the error of a refused caller. */
  constructor(private readonly what: string) {}

  /** Rejects as the work does, and with RateLimited when too many of this key wait. */
  async take<T>(keyId: string, work: () => Promise<T>): Promise<T> {
    const mine = this.open.get(keyId) ?? 0;
    if (mine >= MAX_TURNS) throw new RateLimited(`${this.what} of this key wait`, RETRY_AFTER_SECONDS);
    this.open.set(keyId, mine + 1);
    try {
      return await this.turns.take(keyId, work);
    } finally {
      const left = (this.open.get(keyId) ?? 1) - 1;
      if (left > 0) this.open.set(keyId, left);
      else this.open.delete(keyId);
    }
  }
}
