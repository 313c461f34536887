import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/environment';
import { isUnavailable } from '../database/database';
import { RateLimited } from '../kernel/errors';

/** The part of the database's connections that the reads of one key may use at a time. */
const PART_OF_ONE = 0.5;
const RETRY_AFTER_SECONDS = 5;
/**
 * Bytes that the reads of one key may take in a second. Parsing and printing 16 MiB takes about a quarter of a second of
 * the event loop, so that new connections are accepted in time.
 */
const BYTES_PER_SECOND = 16 * 1024 * 1024;
/** One read of the largest request needs no rest, nor do many small ones. */
const BURST_MS = 250;

interface Turn {
  readonly begin: () => void;
  readonly fail: (error: unknown) => void;
}

interface Share {
  underWay: number;
  readonly waiting: Turn[];
  /** Time on the monotonic clock at which the bytes of all reads so far are paid for. */
  freeAtMs: number;
}

/**
 * Leaves connections and time to all other callers beside an agent that reads. A call of a hundred bytes reads a request
 * of 4 MiB, also for a caller that hangs up at once. A few hundred of them would block decisions for seconds.
 */
export class ReadShares {
  private readonly most: number;
  private readonly maxWaiting: number;
  private readonly shares = new Map<string, Share>();

  constructor({ database, http }: Pick<Config, 'database' | 'http'>) {
    this.most = Math.max(1, Math.floor(database.poolSize * PART_OF_ONE));
    this.maxWaiting = http.maxWaitingPerKey;
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
    const share = this.shares.get(keyId) ?? { underWay: 0, waiting: [], freeAtMs: 0 };
    this.shares.set(keyId, share);
    if (share.underWay < this.most) share.underWay += 1;
    else await this.turnIn(share);
    try {
      const restMs = share.freeAtMs - BURST_MS - performance.now();
      if (restMs > 0) await rest(restMs, gone);
      gone?.throwIfAborted();
      return await read((bytes) => {
        share.freeAtMs = Math.max(share.freeAtMs, performance.now()) + (bytes / BYTES_PER_SECOND) * 1000;
      });
    } catch (error) {
      if (isUnavailable(error)) for (const turn of share.waiting.splice(0)) turn.fail(error);
      throw error;
    } finally {
      this.pass(keyId, share);
    }
  }

  private turnIn(share: Share): Promise<void> {
    if (share.waiting.length >= this.maxWaiting)
      throw new RateLimited('reads of this key wait', RETRY_AFTER_SECONDS);
    return new Promise((begin, fail) => share.waiting.push({ begin, fail }));
  }

  private pass(keyId: string, share: Share): void {
    const next = share.waiting.shift();
    if (next) {
      next.begin();
      return;
    }
    share.underWay -= 1;
    if (share.underWay === 0 && share.freeAtMs <= performance.now()) this.shares.delete(keyId);
  }
}

/** Ends early for a caller that hangs up. */
async function rest(ms: number, gone: AbortSignal | null): Promise<void> {
  await sleep(ms, undefined, gone ? { signal: gone } : {}).catch(() => undefined);
}
