import * as fc from 'fast-check';
import type { JsonValue } from '../../../src/kernel/json';
import { makeJson } from '../../../src/kernel/json-steps';
import { runAtOnce } from '../../../src/kernel/steps';

it('writes any value as JSON.stringify does', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      expect(runAtOnce(makeJson(value as JsonValue)).toString()).toBe(JSON.stringify(value));
    }),
  );
});

it.each(['a\n', '"\\', 'é', '😀', 'x😀'])(
  'writes a long text of %j whole, and leaves undefined out',
  (piece) => {
    const value = { text: piece.repeat(150_000), none: undefined, list: [piece, [], {}] };
    expect(runAtOnce(makeJson(value as unknown as JsonValue)).toString()).toBe(JSON.stringify(value));
  },
);
