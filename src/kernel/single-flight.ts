/**
 * Returns a function that runs the work once at a time: a call during a run joins that run. Its `current` returns the
 * run under way, for a stop that waits for it.
 */
export function singleFlight<T>(work: () => Promise<T>): { (): Promise<T>; current(): Promise<T> | null } {
  let current: Promise<T> | null = null;
  const run = () => (current ??= work().finally(() => (current = null)));
  return Object.assign(run, { current: () => current });
}
