import fc from 'fast-check';
import { BotApiError } from '../../../src/sandbox/bot-api-error';
import { RateLimit, TELEGRAM_LIMITS } from '../../../src/sandbox/rate-limit';

const GROUP = -1001;
const PERSON = 1;

/** Seconds to wait, or 0 when admitted. */
const refusedFor = (limit: RateLimit, chat: number, nowMs: number): number => {
  try {
    limit.admit(chat, nowMs);
    return 0;
  } catch (error) {
    if (error instanceof BotApiError) return error.parameters?.retry_after ?? -1;
    throw error;
  }
};

const newLimit = (): RateLimit => new RateLimit(() => TELEGRAM_LIMITS);

it('a chat takes three at once, then one a second', () => {
  const limit = newLimit();
  expect([0, 1, 2, 3].map((ms) => refusedFor(limit, PERSON, ms))).toEqual([0, 0, 0, 1]);
  expect(refusedFor(limit, PERSON, 1000)).toBe(0);
  expect(refusedFor(limit, PERSON, 1500)).toBe(1);
  expect(refusedFor(limit, PERSON, 2000)).toBe(0);
});

it('a group takes twenty in any sixty seconds and says how long to wait; a person is not bound by that', () => {
  const limit = newLimit();
  for (let i = 0; i < 20; i++) {
    expect(refusedFor(limit, GROUP, i * 1000)).toBe(0);
    expect(refusedFor(limit, PERSON, i * 1000)).toBe(0);
  }
  expect(refusedFor(limit, GROUP, 20_000)).toBe(40);
  expect(refusedFor(limit, PERSON, 20_000)).toBe(0);
  expect(refusedFor(limit, GROUP, 59_999)).toBe(1);
  expect(refusedFor(limit, GROUP, 60_000)).toBe(0);
});

it('a bot sends thirty in any second over all chats', () => {
  const limit = newLimit();
  for (let chat = 1; chat <= 30; chat++) expect(refusedFor(limit, chat, 0)).toBe(0);
  expect(refusedFor(limit, 31, 999)).toBe(1);
  expect(refusedFor(limit, 31, 1000)).toBe(0);
});

it('what is refused does not count', () => {
  const limit = newLimit();
  for (let i = 0; i < 3; i++) refusedFor(limit, PERSON, 0);
  for (let i = 0; i < 50; i++) expect(refusedFor(limit, PERSON, 10)).toBe(1);
  expect(refusedFor(limit, PERSON, 1000)).toBe(0);
});

it('whatever is tried, no window of a group ever holds more than it may', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(4000), { minLength: 30, maxLength: 200 }), (gaps) => {
      const limit = newLimit();
      let now = 0;
      const admitted: number[] = [];
      for (const gap of gaps) {
        now += gap;
        if (refusedFor(limit, GROUP, now) === 0) admitted.push(now);
      }
      for (const from of admitted) {
        expect(admitted.filter((t) => t >= from && t < from + 60_000).length).toBeLessThanOrEqual(20);
        expect(admitted.filter((t) => t >= from && t < from + 1000).length).toBeLessThanOrEqual(4);
      }
    }),
  );
});

it('who waits as long as told is admitted', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3000), { minLength: 10, maxLength: 100 }), (gaps) => {
      const limit = newLimit();
      let now = 0;
      for (const gap of gaps) {
        now += gap;
        const seconds = refusedFor(limit, GROUP, now);
        if (seconds === 0) continue;
        now += seconds * 1000;
        expect(refusedFor(limit, GROUP, now)).toBe(0);
      }
    }),
  );
});
