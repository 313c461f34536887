import rfc8785 from 'canonicalize';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { canonicalize, inputDigest, sha256Hex } from '../../../src/kernel/canonical-json';
import type { JsonValue } from '../../../src/kernel/json';
import { DEFAULT_MAX_DEPTH, parseStrictJson } from '../../../src/kernel/strict-json';
import { wellFormedJson } from './json-arbitraries';

function canonicalOf(text: string): string {
  return canonicalize(parseStrictJson(text));
}

describe('the canonical form', () => {
  it('is the one of the example in RFC 8785, section 3.2.4', () => {
    const text = canonicalize({
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000f\nA\'B"\\\\"/',
      literals: [null, true, false],
    });
    expect(Buffer.from(text).toString('hex')).toBe(
      '7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b333333333333333333' +
        '2e333333333333332c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c753030' +
        '30665c6e4127425c225c5c5c5c5c222f227d',
    );
  });

  it('sorts names by UTF-16 code units, not by code points', () => {
    // The example of RFC 8785, section 3.2.3: U+1F600 sorts before U+FB33 as its first unit is 0xD83D.
    expect(
      canonicalize({ '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 }),
    ).toBe('{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}');
  });

  it('writes minus zero as zero', () => {
    expect(canonicalize([-0])).toBe('[0]');
  });

  it('keeps U+0000, escaped', () => {
    expect(canonicalOf('{"a":"x\\u0000y"}')).toBe('{"a":"x\\u0000y"}');
  });

  it.each(['__proto__', 'constructor', 'toJSON', 'hasOwnProperty'])('keeps a member named %s', (name) => {
    expect(canonicalOf(`{"${name}":{"a":1}}`)).toBe(`{"${name}":{"a":1}}`);
  });

  it.each<[string, JsonValue]>([
    ['NaN', NaN],
    ['an infinity', [Infinity]],
    ['a lone surrogate', { a: 'x\ud800' }],
    ['a lone surrogate behind backslashes', { a: '\\\\\udfff' }],
    ['a lone surrogate in a name', { '\udc00': 1 }],
    ['undefined', undefined as unknown as JsonValue],
  ])('does not exist for %s', (_what, value) => {
    expect(() => canonicalize(value)).toThrow(TypeError);
  });

  it('leaves out members that are undefined, as they are in what is sent', () => {
    expect(canonicalize({ a: 1, b: undefined } as unknown as JsonValue)).toBe('{"a":1}');
  });

  it('exists for text that only looks like a lone surrogate', () => {
    expect(canonicalize('\\ud800')).toBe('"\\\\ud800"');
    expect(canonicalize('\\\\ud800 \ud83d\ude00')).toBe('"\\\\\\\\ud800 \u{1f600}"');
  });

  it('exists for the deepest nesting that is let in', () => {
    const text = '['.repeat(DEFAULT_MAX_DEPTH) + ']'.repeat(DEFAULT_MAX_DEPTH);
    expect(canonicalOf(text)).toBe(text);
  });

  it.each<JsonValue>([
    { a: 1, b: { c: [true, { d: null }] } },
    { b: 1, a: 2 },
    { a: { z: 1, y: 2 }, b: [{ d: 1, c: 2 }] },
    { 9: 'nine', 10: 'ten' },
    { 1: 'one', 10: 'ten', 2: 'two', a: -0 },
    { A: 1, a: 2, '\u20ac': 1, '\u{1f600}': 2, '\ufb33': 3 },
    { '': 0, __proto: 1 },
    { a: undefined, b: 1 } as unknown as JsonValue,
  ])('is the same whether the names stood in their order or not: %j', (value) => {
    expect(canonicalize(value)).toBe(rfc8785(value));
  });

  it('reads back as the same value, whatever the order of the names', () => {
    fc.assert(
      fc.property(wellFormedJson, (value) => {
        const text = canonicalize(value);
        const back = JSON.parse(text) as JsonValue;
        expect(canonicalize(back)).toBe(text);
        expect(text).toBe(rfc8785(value));
        expect(back).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('digests', () => {
  it('hash text as UTF-8', () => {
    const expected = createHash('sha256').update(Buffer.from('é', 'utf8')).digest('hex');
    expect(sha256Hex('é')).toBe(expected);
    expect(sha256Hex(Buffer.from([0xc3, 0xa9]))).toBe(expected);
  });

  it('of an input cover tool, input and directory, in this spelling', () => {
    const spelt = '{"cwd":"/srv","toolInput":{"a":1,"b":[2]},"toolName":"Bash"}';
    expect(inputDigest({ toolName: 'Bash', toolInput: { b: [2], a: 1 }, cwd: '/srv' })).toBe(
      `sha256:${createHash('sha256').update(spelt).digest('hex')}`,
    );
  });

  it('of an input take an absent directory for null', () => {
    const spelt = '{"cwd":null,"toolInput":{},"toolName":"Bash"}';
    const digest = `sha256:${createHash('sha256').update(spelt).digest('hex')}`;
    expect(inputDigest({ toolName: 'Bash', toolInput: {} })).toBe(digest);
    expect(inputDigest({ toolName: 'Bash', toolInput: {}, cwd: null })).toBe(digest);
  });
});
