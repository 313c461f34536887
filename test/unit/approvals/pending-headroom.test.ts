import { PendingHeadroom } from '../../../src/approvals/pending-headroom';

it('counts a key that it does not know, once for all its requests', () => {
  expect(new PendingHeadroom(1000).unsure(['a', 'a', 'b'])).toEqual(['a', 'b']);
});

it('counts every request of a key that is above half of its cap', () => {
  const headroom = new PendingHeadroom(1000);
  headroom.counted('a', 501);
  expect(headroom.unsure(['a'])).toEqual(['a']);
});

it('lets a tenth of the cap pass uncounted below half of it, then counts again', () => {
  const headroom = new PendingHeadroom(1000);
  headroom.counted('a', 500);
  for (let n = 0; n < 100; n++) expect(headroom.unsure(['a'])).toEqual([]);
  expect(headroom.unsure(['a'])).toEqual(['a']);
});

it('counts always where a tenth of the cap is less than one request', () => {
  const headroom = new PendingHeadroom(9);
  headroom.counted('a', 0);
  expect(headroom.unsure(['a'])).toEqual(['a']);
});

it('lets at most a thousand pass uncounted, however high the cap', () => {
  const headroom = new PendingHeadroom(1_000_000);
  headroom.counted('a', 0);
  expect(headroom.unsure(Array.from({ length: 1000 }, () => 'a'))).toEqual([]);
  expect(headroom.unsure(['a'])).toEqual(['a']);
});

it('is sure of requests as long as none of them would be counted, and takes no room by telling', () => {
  const headroom = new PendingHeadroom(20);
  headroom.counted('a', 0);
  for (let n = 0; n < 2; n++) {
    expect(headroom.isSure(['a', 'a'])).toBe(true);
    expect(headroom.isSure(['a', 'a', 'a'])).toBe(false);
    expect(headroom.isSure(['a', 'b'])).toBe(false);
  }
  expect(headroom.unsure(['a', 'a'])).toEqual([]);
  expect(headroom.isSure(['a'])).toBe(false);
});
