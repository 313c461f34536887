import { BotApiError } from './bot-api-error';
import type { Update, UpdateQueue } from './update-queue';

const TERMINATED =
  'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running';

/** Source: core.telegram.org/bots/api#getupdates; the server shortens a longer wait and does not refuse it. */
const LONGEST_POLL_SECONDS = 50;
const MOST_UPDATES = 100;

export interface PollRequest {
  readonly offset: number;
  readonly limit: number;
  readonly timeoutSeconds: number;
  /** Ends the wait when the client has hung up. */
  readonly gone: AbortSignal;
}

/**
 * One bot's getUpdates. At most one call waits: a second call that has to wait ends the first with 409. A call that
 * gets its answer at once does not, so the absence of a 409 does not prove that a poller is alone.
 */
export class LongPoll {
  private endWaiting: ((error: BotApiError | null) => void) | null = null;

  constructor(private readonly queue: UpdateQueue) {}

  async read({ offset, limit, timeoutSeconds, gone }: PollRequest): Promise<Update[]> {
    const most = limit >= 1 && limit <= MOST_UPDATES ? limit : MOST_UPDATES;
    const ready = this.queue.read(offset, most);
    if (ready.length > 0 || timeoutSeconds <= 0 || gone.aborted) return ready;

    this.endWaiting?.(new BotApiError(409, TERMINATED));
    return new Promise((resolve, reject) => {
      const end = (error: BotApiError | null): void => {
        if (this.endWaiting === end) this.endWaiting = null;
        clearTimeout(timer);
        stopListening();
        gone.removeEventListener('abort', finish);
        if (error) reject(error);
        else resolve(gone.aborted ? [] : this.queue.read(offset, most));
      };
      const finish = (): void => end(null);
      const timer = setTimeout(finish, Math.min(timeoutSeconds, LONGEST_POLL_SECONDS) * 1000);
      const stopListening = this.queue.onAdded(finish);
      gone.addEventListener('abort', finish);
      this.endWaiting = end;
    });
  }

  /** Ends a waiting call with this error, or with the updates there are if it is null. */
  interrupt(error: BotApiError | null): void {
    this.endWaiting?.(error);
  }
}
