import { z } from 'zod';
import { InvalidInput } from '../../../src/kernel/errors';
import { parsed } from '../../../src/http/zod';

function faultsOf(value: unknown) {
  try {
    parsed(z.strictObject({ list: z.array(z.string()) }), value);
  } catch (error) {
    if (error instanceof InvalidInput) return error.errors;
    throw error;
  }
  return [];
}

const unknown = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`m${n}`, 1]));

it.each([
  ['unknown fields', { list: [], ...unknown(20_000) }, 20_000],
  ['wrong values', { list: Array.from({ length: 20_000 }, () => 1) }, 20_000],
])('many %s are named up to 20, and the rest is counted', (_, value, count) => {
  const faults = faultsOf(value);
  expect(faults).toHaveLength(21);
  expect(faults.at(-1)).toEqual({ path: '', message: `${count - 20} more faults` });
});

it('20 faults are all named', () => {
  expect(faultsOf({ list: [], ...unknown(20) }).map(({ path }) => path)).toEqual(Object.keys(unknown(20)));
});
