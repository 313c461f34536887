import fc from 'fast-check';
import type { JsonValue } from '../../../src/kernel/json';

/** Names that trip over prototypes, and ordinary and strange ones. */
const name = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('', '__proto__', 'constructor', 'toJSON', 'a', 'a.b', '0'),
);

const number = fc.double({ noNaN: true, noDefaultInfinity: true });

/** Any value that strict JSON can carry; own `__proto__` members included. */
export const wellFormedJson: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom(null, true, false),
    number,
    fc.maxSafeInteger(),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc
      .uniqueArray(fc.tuple(name, tie('value')), { maxLength: 5, selector: ([key]) => key })
      .map((members) => Object.fromEntries(members)),
  ),
})).value;
