import { isUnavailable } from '../../database/database';
import { pause } from '../../kernel/pause';

/** Wait before the retry of a write that records a completed call. */
const REMEMBER_AGAIN_MS = 500;

/** Retries the write while the database is unavailable; otherwise the completed call would be repeated. */
export async function remember<T>(store: () => Promise<T>, stop: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await store();
    } catch (error) {
      if (!isUnavailable(error) || stop.aborted) throw error;
      await pause(REMEMBER_AGAIN_MS, stop);
    }
  }
}
