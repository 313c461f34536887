/** The shortest time that is told from shorter ones, in seconds. */
export const SHORTEST_SECONDS = 0.1;
/** Intervals in each doubling: the ends of one differ by 19 %. */
export const PER_DOUBLING = 4;
/** The last interval: 25 hours and more. */
export const LAST_BUCKET = 79;

/** Geometric middle of the interval, in seconds. */
const middleOf = (bucket: number): number => SHORTEST_SECONDS * 2 ** ((bucket + 0.5) / PER_DOUBLING);

/**
 * The time, in seconds, that this share of the decisions did not exceed; exact to a tenth. Null without any.
 *
 * @param counts decisions by the number of their interval
 */
export function quantile(counts: ReadonlyMap<number, number>, share: number): number | null {
  const sorted = [...counts].toSorted(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [bucket, count] of sorted) {
    seen += count;
    if (seen >= share * total) return middleOf(bucket);
  }
  return null;
}
