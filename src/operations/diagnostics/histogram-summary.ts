/** One bucket of a histogram, with the number of values up to `le`, smaller buckets included. */
export interface Bucket {
  readonly le: number;
  readonly count: number;
}

export interface HistogramSummary {
  readonly count: number;
  readonly sum: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/**
 * The value below which this part of the values lies, linear within a bucket, as in Prometheus' `histogram_quantile`:
 * values above the last bound count as that bound. 0 without values.
 *
 * @param buckets by rising bound, without the infinite one.
 * @param quantile 0 to 1.
 */
export function quantileOf(buckets: readonly Bucket[], count: number, quantile: number): number {
  if (count === 0) return 0;
  const rank = quantile * count;
  let below: Bucket = { le: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank) {
      const part = (rank - below.count) / (bucket.count - below.count);
      return below.le + (bucket.le - below.le) * part;
    }
    below = bucket;
  }
  return below.le;
}

export function summaryOf(buckets: readonly Bucket[], count: number, sum: number): HistogramSummary {
  const at = (quantile: number) => quantileOf(buckets, count, quantile);
  return { count, sum, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
