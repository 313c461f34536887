import { connectionsFor } from '../../../src/http/connection-limit';

it('connections leave descriptors for the database, Telegram and files', () => {
  expect(connectionsFor(2_000, 10)).toBe(1_862);
  expect(connectionsFor(2_000, 500)).toBe(1_372);
});

it('with few descriptors, half of them are for connections', () => {
  expect(connectionsFor(256, 200)).toBe(128);
  expect(connectionsFor(64, 10)).toBe(32);
});

it('without a limit that is known or reached, they are bounded all the same', () => {
  expect(connectionsFor(null, 10)).toBe(20_000);
  expect(connectionsFor(1_048_576, 10)).toBe(20_000);
});
