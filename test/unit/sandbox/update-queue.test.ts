import fc from 'fast-check';
import { UpdateQueue } from '../../../src/sandbox/update-queue';
import { HandClock } from './hand-clock';

const FIRST = 500;
const LANE = 'chat';

const setUp = (): {
  clock: HandClock;
  queue: UpdateQueue;
  read: (offset: number, limit?: number) => number[];
} => {
  const clock = new HandClock();
  const queue = new UpdateQueue(clock, FIRST);
  return { clock, queue, read: (offset, limit = 100) => queue.read(offset, limit).map((u) => u.update_id) };
};

it('redelivers what was not confirmed, and forgets what was', () => {
  const { queue, read } = setUp();
  for (let i = 0; i < 3; i++) queue.add('message', {}, LANE);
  expect(read(0)).toEqual([500, 501, 502]);
  expect(read(500)).toEqual([500, 501, 502]);
  expect(read(502)).toEqual([502]);
  expect(read(0)).toEqual([502]);
  expect(read(503)).toEqual([]);
});

it('a negative offset counts from the end and forgets everything before', () => {
  const { queue, read } = setUp();
  for (let i = 0; i < 4; i++) queue.add('message', {}, LANE);
  expect(read(-2)).toEqual([502, 503]);
  expect(read(0)).toEqual([502, 503]);
});

it('a limit leaves the rest for the next call', () => {
  const { queue, read } = setUp();
  for (let i = 0; i < 4; i++) queue.add('message', {}, LANE);
  expect(read(0, 2)).toEqual([500, 501]);
  expect(read(502, 2)).toEqual([502, 503]);
});

it('keeps a callback query for 150 seconds and a message for a day', () => {
  const { clock, queue, read } = setUp();
  queue.add('callback_query', {}, LANE);
  queue.add('message', {}, LANE);
  clock.advanceMs(149_999);
  expect(read(0)).toEqual([500, 501]);
  clock.advanceMs(1);
  expect(read(0)).toEqual([501]);
  clock.advanceMs(24 * 3600_000);
  expect(read(0)).toEqual([]);
});

it('allowed_updates binds only what comes after it', () => {
  const { queue, read } = setUp();
  queue.add('message', {}, LANE);
  queue.allow(['callback_query']);
  expect(queue.add('message', {}, LANE)).toBe(false);
  expect(queue.add('callback_query', {}, LANE)).toBe(true);
  expect(read(0)).toEqual([500, 501]);
});

it('kinds that must be asked for by name stay away by default', () => {
  const { queue } = setUp();
  expect(queue.add('chat_member', {}, LANE)).toBe(false);
  expect(queue.add('my_chat_member', {}, LANE)).toBe(true);
});

it('repeats, reorders and takes foreign updates when a test wants it', () => {
  const { queue, read } = setUp();
  queue.add('message', {}, LANE);
  queue.inject({ update_id: 900, message: {} });
  queue.duplicateLast();
  queue.reverse();
  expect(read(0)).toEqual([900, 900, 500]);
  queue.add('message', {}, LANE);
  expect(read(901)).toEqual([901]);
});

it('hands out one update a lane, in order', () => {
  const { queue } = setUp();
  queue.add('message', { n: 1 }, 'a');
  queue.add('message', { n: 2 }, 'a');
  queue.add('message', { n: 3 }, 'b');
  expect(queue.heads(new Set()).map((h) => [h.lane, h.update.update_id])).toEqual([
    ['a', 500],
    ['b', 502],
  ]);
  expect(queue.heads(new Set(['a'])).map((h) => h.lane)).toEqual(['b']);
});

it('a poller that confirms as it goes sees every update at least once, in order, whatever it loses', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('add'), fc.constant('read'), fc.constant('lost'))), (steps) => {
      const { queue, read } = setUp();
      let added = 0;
      let offset = 0;
      const seen: number[] = [];
      for (const step of [...steps, 'read']) {
        if (step === 'add') {
          queue.add('message', {}, LANE);
          added++;
          continue;
        }
        const got = read(offset);
        if (step === 'lost') continue;
        seen.push(...got);
        offset = (got.at(-1) ?? offset - 1) + 1;
      }
      expect(seen).toEqual(Array.from({ length: added }, (_, i) => FIRST + i));
    }),
  );
});
