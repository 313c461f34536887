import fc from 'fast-check';
import type { JsonValue } from '../../../src/kernel/json';
import {
  DEFAULT_MAX_DEPTH,
  parseStrictJson,
  parseStrictJsonInTurns,
  StrictJsonError,
} from '../../../src/kernel/strict-json';
import { wellFormedJson } from './json-arbitraries';

function faultsOf(
  source: string | Uint8Array,
  maxDepth?: number,
): readonly { path: string; message: string }[] {
  try {
    parseStrictJson(source, maxDepth === undefined ? {} : { maxDepth });
  } catch (error) {
    if (error instanceof StrictJsonError) return error.errors;
    throw error;
  }
  return [];
}

function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth);
}

describe('strict JSON', () => {
  it('reads what JSON.parse reads, for every value that JSON.stringify can write', () => {
    fc.assert(
      fc.property(wellFormedJson, fc.constantFrom(undefined, 1, '\t'), (value, indentation) => {
        const text = JSON.stringify(value, null, indentation);
        expect(parseStrictJson(text)).toEqual(JSON.parse(text));
        expect(parseStrictJson(Buffer.from(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('reads text whose every character is written as an escape', () => {
    const escaped = (s: string): string =>
      Array.from({ length: s.length }, (_, i) => `\\u${s.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
        '',
      );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (s) => {
        expect(parseStrictJson(`{"${escaped(s)}":"${escaped(s)}"}`)).toEqual(Object.fromEntries([[s, s]]));
      }),
    );
  });

  it('never throws anything but StrictJsonError, and always with a reason', () => {
    const jsonish = fc
      .array(
        fc.constantFrom(
          '{',
          '}',
          '[',
          ']',
          ',',
          ':',
          '"',
          ' ',
          '\\',
          '"a"',
          '"a":',
          '\\u',
          'd800',
          '1',
          '1e999',
          '-',
          '.',
          'true',
          'nul',
          '\u0001',
          '9'.repeat(17),
        ),
        { maxLength: 40 },
      )
      .map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.string({ unit: 'binary' }), fc.string(), jsonish),
        (source) => {
          try {
            parseStrictJson(source);
          } catch (error) {
            expect(error).toBeInstanceOf(StrictJsonError);
            expect((error as StrictJsonError).errors).not.toHaveLength(0);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  it.each(['__proto__', 'constructor', 'prototype', 'toString'])('keeps %s as an ordinary member', (name) => {
    const value = parseStrictJson(`{"${name}":{"polluted":true}}`) as object;
    expect(Object.keys(value)).toEqual([name]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('keeps U+0000 as data', () => {
    expect(parseStrictJson('{"a":"\\u0000"}')).toEqual({ a: '\0' });
  });

  it('reads a view on a larger buffer, and nothing beside it', () => {
    const bytes = new Uint8Array(Buffer.from('x{"a":1}x')).subarray(1, 8);
    expect(parseStrictJson(bytes)).toEqual({ a: 1 });
  });
});

describe('a name that comes twice', () => {
  it.each([
    ['{"a":1,"a":1}', 'a'],
    ['{"a":1,"\\u0061":2}', 'a'],
    ['{"toolInput":{"a":[{"b":1,"c":":","b":{}}]}}', 'toolInput.a[0].b'],
    ['{"x":{"y":1,"y":{"z":1,"z":2}}}', 'x.y'],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
    ['{"":1,"":2}', '[""]'],
    ['[0,{"a b":1,"a b":2}]', '[1]["a b"]'],
  ])('is refused with its path: %s', (text, path) => {
    expect(faultsOf(text)[0]).toEqual({ path, message: 'is given more than once' });
  });

  it('is refused wherever it is put', () => {
    // Writes every object with one of its members twice where `pick` says so.
    const write = (value: JsonValue, twice: () => boolean): string => {
      if (Array.isArray(value)) return `[${value.map((v: JsonValue) => write(v, twice)).join()}]`;
      if (typeof value !== 'object' || value === null) return JSON.stringify(value);
      const members = Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}:${write(v, twice)}`);
      return `{${members.flatMap((member) => (twice() ? [member, member] : [member])).join()}}`;
    };
    const members = (value: JsonValue): number => {
      if (typeof value !== 'object' || value === null) return 0;
      const own: JsonValue[] = Object.values(value);
      return own.reduce((sum: number, v) => sum + members(v), Array.isArray(value) ? 0 : own.length);
    };
    fc.assert(
      fc.property(
        wellFormedJson.filter((value) => members(value) > 0),
        fc.nat(),
        (value, seed) => {
          const target = seed % members(value);
          let seen = 0;
          const text = write(value, () => seen++ === target);
          expect(faultsOf(text).map((fault) => fault.message)).toContain('is given more than once');
          expect(faultsOf(write(value, () => false))).toEqual([]);
        },
      ),
    );
  });
});

/** The exact value of a literal as a fraction, worked out without any double. */
function fractionOf(literal: string): { numerator: bigint; denominator: bigint } {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal) ?? [];
  const shift = BigInt(exponent) - BigInt(fraction.length);
  const digits = BigInt(`${sign}${whole}${fraction}`);
  return shift >= 0n
    ? { numerator: digits * 10n ** shift, denominator: 1n }
    : { numerator: digits, denominator: 10n ** -shift };
}

/** True if the double's RFC 8785 form has exactly the value of the literal. */
function isHeldAsWritten(literal: string): boolean {
  const value = Number(literal);
  if (!Number.isFinite(value) || Object.is(value, -0)) return false;
  const written = fractionOf(literal);
  const printed = fractionOf(JSON.stringify(value));
  return written.numerator * printed.denominator === printed.numerator * written.denominator;
}

describe('a number', () => {
  it.each(['1e400', '-1e400', `1${'0'.repeat(400)}`])(
    'beyond the range of a double is refused: %s',
    (literal) => {
      const shown = literal.length > 40 ? `${literal.slice(0, 40)}…` : literal;
      expect(faultsOf(`{"a":{"n":[${literal}]}}`)).toEqual([
        {
          path: 'a.n[0]',
          message: `is a number beyond the range of a double (${shown}); send it as a string`,
        },
      ]);
    },
  );

  it.each(['1e-400', '-1E-400', '0.1e-399', '2e-324', `0.${'0'.repeat(330)}1`])(
    'that a double takes for 0 is refused: %s',
    (literal) => {
      const faults = faultsOf(`{"a":{"n":[0,${literal}]}}`);
      expect(faults.map(({ path }) => path)).toEqual(['a.n[1]']);
      expect(faults[0]?.message).toMatch(/^is a number too small for a double .* send it as a string$/);
    },
  );

  it.each([
    ['9007199254740993', '9007199254740992'],
    ['1732900000123456789', '1732900000123456800'],
    ['-12345678901234567890', '-12345678901234567000'],
    ['12345678901234567890e0', '12345678901234567000'],
    ['9007199254740993.0', '9007199254740992'],
    ['4503599627370497.75', '4503599627370498'],
    ['1.00000000000000000001', '1'],
    ['0.10000000000000001', '0.1'],
    ['3e-324', '5e-324'],
    ['-0', '0'],
    ['-0.0', '0'],
    ['-0e5', '0'],
  ])('that a double would change is refused by name: %s', (literal, changed) => {
    const message = `is a number that a double does not hold as written: ${literal} would become ${changed}; send it as a string`;
    expect(faultsOf(`{"n":${literal}}`)).toEqual([{ path: 'n', message }]);
    expect(faultsOf(`[${literal}]`)).toEqual([{ path: '[0]', message }]);
    expect(faultsOf(literal)).toEqual([{ path: '', message }]);
  });

  it.each([
    '725653563933458400',
    '9007199254740992',
    '-9007199254740992',
    '100000000000000000000',
    '12345678901234567000',
    '1000000000000000000000',
    '9007199254740991',
    '-9007199254740991',
    '1e300',
    '6.02214076e23',
    '0.1',
    '1.0',
    '1.50',
    '1e3',
    '1E+2',
    '5e-324',
    '1.7976931348623157e308',
    '0e-400',
    '0.0',
    `0.${'0'.repeat(330)}`,
    '[0,"e-"]',
  ])('that a double holds as written is read: %s', (text) => {
    expect(parseStrictJson(text)).toEqual(JSON.parse(text));
  });

  it('is read exactly when its RFC 8785 form has the value that was written', () => {
    const digits = fc.string({
      unit: fc.constantFrom(...Array.from('0123456789')),
      minLength: 1,
      maxLength: 25,
    });
    const spelt = fc
      .tuple(
        fc.constantFrom('', '-'),
        digits.map((whole) => whole.replace(/^0+(?=.)/, '')),
        fc.option(
          digits.map((fraction) => `.${fraction}`),
          { nil: '' },
        ),
        fc.option(
          fc
            .tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), fc.integer({ min: 0, max: 340 }))
            .map((e) => e.join('')),
          { nil: '' },
        ),
      )
      .map((pieces) => pieces.join(''));
    // As programs write them, with a digit more or less than a double needs.
    const printed = fc
      .tuple(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom<(n: number) => string>(
          String,
          (n) => n.toPrecision(15),
          (n) => n.toPrecision(16),
          (n) => n.toPrecision(17),
          (n) => n.toExponential(20),
          (n) => (Math.abs(n) < 1e21 ? n.toFixed(10) : String(n)),
        ),
      )
      .map(([n, print]) => print(n));
    const whole = fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String);
    fc.assert(
      fc.property(fc.oneof(spelt, printed, whole), (literal) => {
        expect(faultsOf(literal).length === 0).toBe(isHeldAsWritten(literal));
        expect(faultsOf(`{"a":[1,${literal}]}`).length === 0).toBe(isHeldAsWritten(literal));
      }),
      { numRuns: 5_000 },
    );
  });

  it('of a million digits is judged in one pass', () => {
    const long = '9'.repeat(1_000_000);
    expect(faultsOf(`0.${long}`)).toHaveLength(1);
    expect(faultsOf(`1${'0'.repeat(500_000)}1${'0'.repeat(500_000)}e-1000001`)).toHaveLength(1);
    expect(faultsOf(`0.5${'0'.repeat(1_000_000)}`)).toEqual([]);
  });
});

describe('a lone surrogate', () => {
  it.each([
    ['{"a":"\\ud800"}', 'a', 'contains a lone surrogate'],
    ['{"a":["x","\\uDC00\\uD800"]}', 'a[1]', 'contains a lone surrogate'],
    ['{"a":{"\\ud800x":1}}', 'a', 'has a member whose name contains a lone surrogate'],
  ])('is refused when it is escaped: %s', (text, path, message) => {
    expect(faultsOf(text)).toEqual([{ path, message }]);
  });

  it('is refused when a string carries it', () => {
    expect(faultsOf('"\ud800"')).toEqual([{ path: '', message: 'is not valid UTF-8' }]);
  });

  it('is not a pair, and not text about one', () => {
    expect(parseStrictJson('["\\ud83d\\ude00","\\\\ud800"]')).toEqual(['\u{1f600}', '\\ud800']);
  });
});

describe('nesting', () => {
  it('is read down to the limit', () => {
    expect(faultsOf(nested(DEFAULT_MAX_DEPTH))).toEqual([]);
    expect(faultsOf('{"a":{"b":1}}', 2)).toEqual([]);
  });

  it.each([DEFAULT_MAX_DEPTH + 1, 1000, 100_000, 1_000_000])(
    'of %d is refused, not a stack overflow',
    (depth) => {
      const path = '[0]'.repeat(DEFAULT_MAX_DEPTH);
      const message = `is nested deeper than ${DEFAULT_MAX_DEPTH} levels`;
      expect(faultsOf(nested(depth))).toEqual([{ path, message }]);
      expect(faultsOf('['.repeat(depth))).toEqual([{ path, message }]);
      expect(faultsOf('{"a":'.repeat(depth))).toHaveLength(1);
    },
  );

  it('names the place that is too deep', () => {
    expect(faultsOf('{"a":{"b":1,"c":[]}}', 2)).toEqual([
      { path: 'a.c', message: 'is nested deeper than 2 levels' },
    ]);
  });

  it('does not count brackets inside strings', () => {
    expect(faultsOf(JSON.stringify({ a: '[{"'.repeat(100) }))).toEqual([]);
  });
});

describe('the number of objects, arrays and members', () => {
  const message = 'holds more than 3 objects, arrays and members; send some of them as a string';
  const faults = (text: string) => {
    try {
      parseStrictJson(text, { maxParts: 3 });
    } catch (error) {
      return (error as StrictJsonError).errors;
    }
    return [];
  };

  it('is bounded', () => {
    expect(faults('{"a":1,"b":2}')).toEqual([]);
    expect(faults('[[],[]]')).toEqual([]);
    for (const text of ['{"a":1,"b":2,"c":3}', '[[],[],[]]', '[{"a":1},[]]'])
      expect(faults(text)).toEqual([{ path: '', message }]);
  });

  it('does not count values in an array, nor what stands in a string', () => {
    expect(faults('["a","{[:",1,2,3,4,5,null,true]')).toEqual([]);
  });

  it('is 50 000 where nothing else is said', () => {
    expect(faultsOf(`[${'{},'.repeat(49_998)}{}]`)).toEqual([]);
    expect(faultsOf(`[${'{},'.repeat(49_999)}{}]`)[0]?.message).toMatch(/^holds more than 50000 /);
  });
});

describe('reading in turns', () => {
  const outcome = async (source: Buffer) => parseStrictJsonInTurns(source).catch((error: unknown) => error);

  it('ends as reading at once does', async () => {
    const texts = ['{"a":[1,"x"]}', '{"a":1,"a":2}', '[1,', '["\\ud800"]', '[-0]', nested(70), ''];
    for (const text of texts) {
      const source = Buffer.from(text);
      let expected: unknown;
      try {
        expected = parseStrictJson(source);
      } catch (error) {
        expected = error;
      }
      expect(await outcome(source)).toEqual(expected);
    }
  });

  it.each([
    ['what is read', `[${'1.5,'.repeat(100_000)}0]`],
    ['what is refused at its end', `[${'1.5,'.repeat(100_000)}-0]`],
    ['what breaks off', `[${'1.5,'.repeat(100_000)}`],
  ])('lets others have their turn during %s', async (_what, text) => {
    let turns = 0;
    let over = false;
    const count = () => {
      turns += 1;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    await outcome(Buffer.from(text));
    over = true;
    expect(turns).toBeGreaterThan(3);
  });
});

describe('text that is not JSON', () => {
  it.each<[string, string]>([
    ['{"a":1,}', 'a name in quotes at line 1, column 8'],
    ['{a:1}', 'a name in quotes at line 1, column 2'],
    ['{"a" 1}', '":" at line 1, column 6'],
    ['{"a":1 "b":2}', '"," or "}" at line 1, column 8'],
    ['[1,]', 'a value at line 1, column 4'],
    ['[1 2]', '"," or "]" at line 1, column 4'],
    ['[1]]', 'the end at line 1, column 4'],
    ['01', 'the end at line 1, column 2'],
    ["'a'", 'a value at line 1, column 1'],
    ['NaN', 'a value at line 1, column 1'],
    ['{\n  "a": tru\n}', 'a value at line 2, column 8'],
    ['"a\nb"', 'a character or the end of the string at line 1, column 3'],
    ['"\\x"', 'a valid escape at line 1, column 2'],
    ['"\\u12"', 'a valid escape at line 1, column 2'],
    ['{"a":', 'a value at line 1, column 6, but the text ends'],
    ['"abc', 'a character or the end of the string at line 1, column 5, but the text ends'],
    ['"abc\\"', 'a character or the end of the string at line 1, column 7, but the text ends'],
    ['\u00a01', 'a value at line 1, column 1'],
    ['[1]{"a":1,"a":2}', 'the end at line 1, column 4'],
  ])('is refused with its position: %s', (text, expected) => {
    expect(faultsOf(text)).toEqual([{ path: '', message: `is not valid JSON: expected ${expected}` }]);
  });

  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(), 'is empty; JSON was expected'],
    ['a byte order mark', Buffer.from('\ufeff{}'), 'begins with a byte order mark'],
    ['an overlong form', Buffer.from([0x22, 0xc0, 0x80, 0x22]), 'is not valid UTF-8'],
    ['an encoded surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'is not valid UTF-8'],
    ['a cut character', Buffer.from([0x22, 0xe2, 0x82]), 'is not valid UTF-8'],
    ['Latin-1', Buffer.from('"é"', 'latin1'), 'is not valid UTF-8'],
  ])('is refused in plain words: %s', (_what, bytes, message) => {
    expect(faultsOf(bytes)).toEqual([{ path: '', message }]);
  });
});

describe('the list of faults', () => {
  it('names several at once, the code is that of a bad request', () => {
    expect(faultsOf('{"a":1e999,"b":"\\ud800","a":12345678901234567890}').map((fault) => fault.path)).toEqual(
      ['a', 'b', 'a', 'a'],
    );
    expect(new StrictJsonError([]).code).toBe('request.invalid');
  });

  it('is bounded, and so are the names in it', () => {
    const many = `{${Array.from({ length: 500 }, () => `"${'k'.repeat(5000)}":1e999`).join()}}`;
    const faults = faultsOf(many);
    expect(faults).toHaveLength(20);
    expect(faults[0]?.path).toBe(`${'k'.repeat(40)}…`);
  });

  it('comes for a large body too', () => {
    const plain = 'x'.repeat(5_000_000);
    expect(faultsOf(`{"s":"${plain}","n":1e999}`)).toHaveLength(1);
    expect(faultsOf(`{"s":"${'\\n'.repeat(1_000_000)}","n":${'9'.repeat(1_000_000)}}`)).toHaveLength(1);
    expect(faultsOf(`"${'\\\\'.repeat(1_000_000)}`)).toHaveLength(1);
  });
});
