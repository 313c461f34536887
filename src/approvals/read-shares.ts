import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/environment';
import { isUnavailable } from '../database/database';
import { KeyBulkheads } from '../resilience/key-bulkheads';

/** The part of the database's connections that the reads of one key may use at a time. */
const PART_OF_ONE = 0.5;
/**
 * Bytes that the reads of one key may take in a second. Parsing and printing 16 MiB takes about a quarter of a second of
 * the event loop, so that new connections are accepted in time.
 */
const BYTES_PER_SECOND = 16 * 1024 * 1024;
/** One read of the largest request needs no rest, nor do many small ones. */
const BURST_MS = 250;

/**
 * Leaves connections and time to all other callers beside an agent that reads. A call of a hundred bytes reads a request
 * of 4 MiB, also for a caller that hangs up at once. A few hundred of them would block decisions for seconds.
 */
export class ReadShares {
  private readonly bulkheads: KeyBulkheads;
  /** Time on the monotonic clock at which the bytes of all reads of a key so far are paid for. */
  private readonly freeAtMs = new Map<string, number>();

  constructor({ database, http }: Pick<Config, 'database' | 'http'>) {
    const running = Math.max(1, Math.floor(database.poolSize * PART_OF_ONE));
    this.bulkheads = new KeyBulkheads('reads of this key', running, http.maxWaitingPerKey, isUnavailable);
  }

  /**
   * Reads when it is this key's turn. `read` reports the bytes that it took. Rejects as the read does, and with
   * RateLimited when too many of this key wait. When the database does not serve one, those that wait fail with the same
   * error, because each would wait as long. Reads nothing for a caller that has gone by then, and rejects with the
   * reason of the signal.
   */
  async take<T>(
    keyId: string,
    read: (took: (bytes: number) => void) => Promise<T>,
    gone: AbortSignal | null = null,
  ): Promise<T> {
    return this.bulkheads.take(keyId, async () => {
      const restMs = (this.freeAtMs.get(keyId) ?? 0) - BURST_MS - performance.now();
      if (restMs > 0) await rest(restMs, gone);
      gone?.throwIfAborted();
      return read((bytes) => {
        const fromMs = Math.max(this.freeAtMs.get(keyId) ?? 0, performance.now());
        this.freeAtMs.set(keyId, fromMs + (bytes / BYTES_PER_SECOND) * 1000);
      });
    });
  }
}

/** Ends early for a caller that hangs up. */
async function rest(ms: number, gone: AbortSignal | null): Promise<void> {
  await sleep(ms, undefined, gone ? { signal: gone } : {}).catch(() => undefined);
}
