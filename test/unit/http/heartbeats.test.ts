import { Heartbeats } from '../../../src/http/heartbeats';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

it('beats for everybody every fifteen seconds, on one timer, until each has ended', () => {
  const heartbeats = new Heartbeats();
  const first = jest.fn();
  const second = jest.fn();
  const stopFirst = heartbeats.start(first);
  const stopSecond = heartbeats.start(second);
  expect(jest.getTimerCount()).toBe(1);
  jest.advanceTimersByTime(30_000);
  stopFirst();
  jest.advanceTimersByTime(15_000);
  expect([first.mock.calls.length, second.mock.calls.length]).toEqual([2, 3]);
  stopSecond();
  expect(jest.getTimerCount()).toBe(0);
});

it('begins again after everybody had ended', () => {
  const heartbeats = new Heartbeats();
  heartbeats.start(() => undefined)();
  const beat = jest.fn();
  heartbeats.start(beat);
  jest.advanceTimersByTime(15_000);
  expect(beat).toHaveBeenCalledTimes(1);
});
