import { Injectable } from '@nestjs/common';
import { Database } from '../../database/database';
import { BATCH, LOCK_STATE, RECORD } from './record-statements';

/**
 * A statement ends after 30 s, and its id may be 5 s older. The rest is for a commit that waits for a standby, and for the
 * clock of the server that takes over: a request that is visible later is neither counted nor found.
 */
const SETTLED_AFTER_SECONDS = 120;

/** Keeps what plots and searches read, beside the enqueue. */
@Injectable()
export class RecordStore {
  constructor(private readonly database: Database) {}

  /**
   * Records a batch of requests that have ended; nothing while another replica does.
   *
   * @returns true if there may be more
   */
  async record(olderThanSeconds = SETTLED_AFTER_SECONDS): Promise<boolean> {
    // The snapshot must be younger than the lock: an erasure, which takes it too, leaves no words of what it erased.
    const [row] = await this.database.transaction(async (query) => {
      if ((await query(LOCK_STATE, [])).length === 0) return [];
      return query<{ passed: number; waited: number }>(RECORD, [olderThanSeconds]);
    });
    return (row?.passed ?? 0) > 0 || row?.waited === BATCH;
  }
}
