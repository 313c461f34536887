import { PendingHeadroom } from '../../../src/approvals/pending-headroom';

const headroomOf = (requests: number, bytes = 1_000_000_000) => new PendingHeadroom({ requests, bytes });
const asked = (...keyIds: string[]) => keyIds.map((keyId) => ({ keyId, bytes: 1 }));

it('counts a key that it does not know, once for all its requests', () => {
  expect(headroomOf(1000).unsure(asked('a', 'a', 'b'))).toEqual(['a', 'b']);
});

it('lets a tenth of the room that is left pass uncounted, then counts again', () => {
  const headroom = headroomOf(1000);
  for (const [pending, uncounted] of [
    [0, 100],
    [500, 50],
    [989, 1],
  ] as const) {
    headroom.counted('a', { requests: pending, bytes: 0 });
    for (let n = 0; n < uncounted; n++) expect(headroom.unsure(asked('a'))).toEqual([]);
    expect(headroom.unsure(asked('a'))).toEqual(['a']);
  }
});

it.each([991, 1000, 1200])('counts every request of a key that has %i of 1000 pending', (pending) => {
  const headroom = headroomOf(1000);
  headroom.counted('a', { requests: pending, bytes: 0 });
  expect(headroom.unsure(asked('a'))).toEqual(['a']);
});

it('counts seldom, however high the cap and however much is pending below it', () => {
  const cap = 1_000_000;
  const headroom = headroomOf(cap);
  let counts = 0;
  for (let pending = 0; pending < cap; pending++) {
    if (headroom.unsure(asked('a')).length === 0) continue;
    counts++;
    headroom.counted('a', { requests: pending, bytes: 0 });
  }
  expect(counts).toBeLessThan(150);
});

it('is sure of requests as long as none of them would be counted, and takes no room by telling', () => {
  const headroom = headroomOf(20);
  headroom.counted('a', { requests: 0, bytes: 0 });
  for (let n = 0; n < 2; n++) {
    expect(headroom.isSure(asked('a', 'a'))).toBe(true);
    expect(headroom.isSure(asked('a', 'a', 'a'))).toBe(false);
    expect(headroom.isSure(asked('a', 'b'))).toBe(false);
  }
  expect(headroom.unsure(asked('a', 'a'))).toEqual([]);
  expect(headroom.isSure(asked('a'))).toBe(false);
});

describe('bytes', () => {
  const large = (bytes: number) => [{ keyId: 'a', bytes }];

  it('are counted when a tenth of their room is used up, however few requests there were', () => {
    const headroom = headroomOf(1000, 1000);
    headroom.counted('a', { requests: 0, bytes: 500 });
    expect(headroom.unsure(large(30))).toEqual([]);
    expect(headroom.unsure(large(20))).toEqual([]);
    expect(headroom.unsure(large(1))).toEqual(['a']);
  });

  it('of a request that is larger than the room are counted, and a smaller one is sure', () => {
    const headroom = headroomOf(1000, 1000);
    headroom.counted('a', { requests: 0, bytes: 0 });
    expect(headroom.isSure(large(101))).toBe(false);
    expect(headroom.unsure(large(101))).toEqual(['a']);
    expect(headroom.unsure(large(100))).toEqual([]);
  });

  it('beyond the cap leave no room', () => {
    const headroom = headroomOf(1000, 1000);
    headroom.counted('a', { requests: 0, bytes: 2_000 });
    expect(headroom.unsure(large(1))).toEqual(['a']);
  });
});
