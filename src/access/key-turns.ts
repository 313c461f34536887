import { Turns } from '../database/turns';
import { RateLimited } from '../kernel/errors';

/** So many of one key are under way or wait. */
export const MAX_TURNS = 50;
const RETRY_AFTER_SECONDS = 5;

/**
 * Lets each key look through what it asked one call at a time. Such a look costs as much as there is, up to tens of
 * MiB or a million rows, and asks for it in a hundred bytes: many at once would take every connection from everybody.
 */
export class KeyTurns {
  private readonly turns = new Turns();
  private readonly open = new Map<string, number>();

  /** `what` takes turns, in plural: for a caller that is refused. */
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
