import { quantileOf, summaryOf } from '../../../src/operations/diagnostics/histogram-summary';

const buckets = [
  { le: 1, count: 10 },
  { le: 2, count: 10 },
  { le: 5, count: 90 },
  { le: 10, count: 98 },
];

it('interpolates within the bucket, as Prometheus does', () => {
  expect(quantileOf(buckets, 100, 0.05)).toBeCloseTo(0.5);
  expect(quantileOf(buckets, 100, 0.5)).toBeCloseTo(2 + 3 * (40 / 80));
  expect(quantileOf(buckets, 100, 0.95)).toBeCloseTo(5 + 5 * (5 / 8));
});

it('takes values above the last bound for that bound', () => {
  expect(quantileOf(buckets, 100, 0.99)).toBe(10);
});

it('is 0 without values', () => {
  expect(summaryOf([{ le: 1, count: 0 }], 0, 0)).toEqual({ count: 0, sum: 0, p50: 0, p95: 0, p99: 0 });
});

it('has quantiles that rise', () => {
  const { p50, p95, p99 } = summaryOf(buckets, 100, 400);
  expect(p50).toBeLessThan(p95);
  expect(p95).toBeLessThanOrEqual(p99);
});
