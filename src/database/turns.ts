import type { DomainError } from '../kernel/errors';
import { isUnavailable } from './database';

/**
 * Lets one caller at a time change a row. Callers that would wait for the same locked row share one connection, and the
 * pool stays free for the others.
 */
export class Turns {
  /** The last turn of each key; resolves with the error that the turns behind it share, or null. */
  private readonly last = new Map<string, Promise<DomainError | null>>();

  /**
   * Does the work after all earlier work on this key. If the database is unavailable for one turn, the turns behind it
   * fail with the same error: each would wait as long, one after the other.
   */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const earlier = this.last.get(key);
    let finish: (trouble: DomainError | null) => void = () => undefined;
    const mine = new Promise<DomainError | null>((resolve) => (finish = resolve));
    this.last.set(key, mine);
    let trouble: DomainError | null = null;
    try {
      trouble = (await earlier) ?? null;
      if (trouble !== null) throw trouble;
      return await work();
    } catch (error) {
      if (isUnavailable(error)) trouble = error as DomainError;
      throw error;
    } finally {
      if (this.last.get(key) === mine) this.last.delete(key);
      finish(trouble);
    }
  }
}
