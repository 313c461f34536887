import { bulkhead, BulkheadRejectedError, type BulkheadPolicy } from 'cockatiel';
import { RateLimited } from '../kernel/errors';

const RETRY_AFTER_SECONDS = 5;

interface Lane {
  readonly policy: BulkheadPolicy;
  /** Cancels the calls that wait now. */
  trouble: AbortController;
}

/** Gives each API key a bulkhead, so that no key takes all of a shared resource. */
export class KeyBulkheads {
  private readonly lanes = new Map<string, Lane>();

  /**
   * @param what the calls, in plural, for the error of a refused caller
   * @param running maximum calls of one key that run
   * @param waiting maximum calls of one key that wait
   * @param concernsAll true if the calls that wait would fail in the same way, each after waiting as long
   */
  constructor(
    private readonly what: string,
    private readonly running: number,
    private readonly waiting: number,
    private readonly concernsAll: (error: unknown) => boolean,
  ) {}

  /**
   * Works when it is this key's turn. Rejects as the work does, with the error of an earlier call that concerns all, and
   * with RateLimited when too many of this key wait.
   */
  async take<T>(keyId: string, work: () => Promise<T>): Promise<T> {
    const { running, waiting } = this;
    const lane = this.lanes.get(keyId) ?? {
      policy: bulkhead(running, waiting),
      trouble: new AbortController(),
    };
    this.lanes.set(keyId, lane);
    const { policy, trouble } = lane;
    try {
      return await policy.execute(() => {
        // The bulkhead takes no signal: it begins nothing after a call that its signal cancelled.
        trouble.signal.throwIfAborted();
        return work().catch((error: unknown) => this.fail(lane, error));
      });
    } catch (error) {
      if (!(error instanceof BulkheadRejectedError)) throw error;
      throw new RateLimited(`${this.what} wait`, RETRY_AFTER_SECONDS);
    } finally {
      if (policy.executionSlots === running) this.lanes.delete(keyId);
    }
  }

  private fail(lane: Lane, error: unknown): never {
    if (this.concernsAll(error)) {
      lane.trouble.abort(error);
      lane.trouble = new AbortController();
    }
    throw error;
  }
}
