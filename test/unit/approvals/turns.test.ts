import fc from 'fast-check';
import {
  MAX_CALLS_OF_TURN,
  planTurns,
  TURN_MS,
  turnDigest,
  type WaitingCall,
} from '../../../src/approvals/turns';

const NOON = Date.parse('2026-03-04T12:00:00Z');

const call = (id: string, atMs: number, card: WaitingCall['card'] = 'shown'): WaitingCall => ({
  id,
  createdAt: new Date(NOON + atMs),
  card,
});

const plan = (...calls: WaitingCall[]) => {
  const { turns, isWaiting } = planTurns(calls);
  return { turns: turns.map((turn) => turn.map(({ id }) => id).join('')), isWaiting };
};

it('groups the calls that were asked within a second, in their order', () => {
  expect(plan(call('b', 400), call('a', 0), call('c', 999))).toEqual({ turns: ['abc'], isWaiting: false });
});

it('begins the next turn with the first call that is too late for one', () => {
  expect(plan(call('a', 0), call('b', 900), call('c', 1000), call('d', 1899)).turns).toEqual(['ab', 'cd']);
});

it('makes no turn of one call', () => {
  expect(plan(call('a', 0), call('b', 1000))).toEqual({ turns: [], isWaiting: false });
});

it('waits for cards that are due, and only with the turn that they are of', () => {
  expect(plan(call('a', 0), call('b', 1, 'due'), call('c', 2000), call('d', 2001))).toEqual({
    turns: ['cd'],
    isWaiting: true,
  });
  expect(plan(call('a', 0), call('b', 5000, 'due'))).toEqual({ turns: [], isWaiting: false });
});

it('leaves out a call whose card cannot be sent', () => {
  expect(plan(call('a', 0), call('b', 1, 'failing'), call('c', 2)).turns).toEqual(['ac']);
  expect(plan(call('a', 0), call('b', 1, 'failing')).turns).toEqual([]);
});

it('never has more calls in a turn than a person can read on one message', () => {
  const calls = Array.from({ length: 25 }, (_, i) => call(String(i).padStart(2, '0'), i));
  expect(planTurns(calls).turns.map(({ length }) => length)).toEqual([
    MAX_CALLS_OF_TURN,
    MAX_CALLS_OF_TURN,
    5,
  ]);
});

it('puts no call in two turns, and none that was not shown, whatever arrives', () => {
  const calls = fc.uniqueArray(
    fc.record({
      at: fc.integer({ min: 0, max: 4 * TURN_MS }),
      card: fc.constantFrom('shown' as const, 'due' as const, 'failing' as const),
    }),
    { maxLength: 40, selector: ({ at }) => at },
  );
  fc.assert(
    fc.property(calls, (given) => {
      const { turns } = planTurns(given.map(({ at, card }) => call(String(at).padStart(5, '0'), at, card)));
      const all = turns.flat();
      expect(new Set(all).size).toBe(all.length);
      expect(all.every(({ card }) => card === 'shown')).toBe(true);
      for (const turn of turns) {
        const times = turn.map(({ createdAt }) => createdAt.getTime());
        expect(Math.max(...times) - Math.min(...times)).toBeLessThan(TURN_MS);
        expect(turn.length).toBeGreaterThan(1);
      }
    }),
  );
});

describe('the digest', () => {
  const calls = [
    { id: 'a', displayDigest: 'sha256:1' },
    { id: 'b', displayDigest: 'sha256:2' },
    { id: 'c', displayDigest: 'sha256:3' },
  ];
  it.each([
    ['one call less', calls.slice(1)],
    ['another order', calls.toReversed()],
    ['another card', calls.map((each) => (each.id === 'b' ? { ...each, displayDigest: 'sha256:4' } : each))],
    ['another call', calls.map((each) => (each.id === 'b' ? { ...each, id: 'd' } : each))],
  ])('differs for %s', (_, others) => {
    expect(turnDigest(others)).not.toBe(turnDigest(calls));
  });
});
