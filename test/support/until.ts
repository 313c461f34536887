import { setTimeout as sleep } from 'node:timers/promises';

/** A bound that only a hang exceeds, on a slow and busy machine too. */
const HANG_MS = 60_000;

/**
 * Waits for a condition and returns its first truthy value.
 *
 * @throws Error naming what did not come true in time.
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  withinMs = HANG_MS,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await sleep(20);
  }
}
