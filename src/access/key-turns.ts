import { isUnavailable } from '../database/database';
import { KeyBulkheads } from '../resilience/key-bulkheads';

/** Maximum calls of one key that run or wait. */
export const MAX_TURNS = 50;

/**
 * Runs the list calls of each key one at a time. A list reads up to tens of MiB or a million rows, for a request of a
 * hundred bytes. Many at once would take every connection of the pool.
 */
export class KeyTurns extends KeyBulkheads {
  /** `what` names the queued calls in plural, for the error of a refused caller. */
  constructor(what: string) {
    super(`${what} of this key`, 1, MAX_TURNS - 1, isUnavailable);
  }
}
