import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Steps } from './steps';

/** Runs one step in each turn of the event loop, so that other work waits for one step at most. */
export async function runInTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await nextTurn();
  }
}
