import { PendingHeadroom } from '../../../src/approvals/pending-headroom';

it('counts a key that it does not know, once for all its requests', () => {
  expect(new PendingHeadroom(1000).unsure(['a', 'a', 'b'])).toEqual(['a', 'b']);
});

it('lets a tenth of the room that is left pass uncounted, then counts again', () => {
  const headroom = new PendingHeadroom(1000);
  for (const [pending, uncounted] of [
    [0, 100],
    [500, 50],
    [989, 1],
  ] as const) {
    headroom.counted('a', pending);
    for (let n = 0; n < uncounted; n++) expect(headroom.unsure(['a'])).toEqual([]);
    expect(headroom.unsure(['a'])).toEqual(['a']);
  }
});

it.each([991, 1000, 1200])('counts every request of a key that has %i of 1000 pending', (pending) => {
  const headroom = new PendingHeadroom(1000);
  headroom.counted('a', pending);
  expect(headroom.unsure(['a'])).toEqual(['a']);
});

it('counts seldom, however high the cap and however much is pending below it', () => {
  const cap = 1_000_000;
  const headroom = new PendingHeadroom(cap);
  let counts = 0;
  for (let pending = 0; pending < cap; pending++) {
    if (headroom.unsure(['a']).length === 0) continue;
    counts++;
    headroom.counted('a', pending);
  }
  expect(counts).toBeLessThan(150);
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
