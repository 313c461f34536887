import fc from 'fast-check';

/** Pieces of hostile text: hidden, reordering, look-alike and structure-breaking, among ordinary ones. */
export const hostilePieces = [
  '\0',
  '\u001b[31m',
  '\r',
  '\n',
  '\n'.repeat(500),
  '\t',
  ' ',
  ' '.repeat(2000),
  '\u00a0',
  '\u00ad',
  '\u034f',
  '\u030a',
  '\u061c',
  '\u115f',
  '\u200b',
  '\u200d',
  '\u200e\u200f',
  '\u2028',
  '\u202e',
  '\u2066',
  '\u2800',
  '\u3164',
  '\ufe0f',
  '\ufeff',
  '\ufffc',
  '\ue000',
  '\u{e0041}\u{e007f}',
  '\u{10ffff}',
  '\ud800',
  '\udc00',
  '\\',
  '\\u{202e}',
  '\\u{a×9}',
  'u{',
  '⇥',
  '…',
  '</code>',
  '</pre>',
  '<a href="https://evil.example/">',
  '<tg-time unix="1">',
  '&lt;',
  '&#60;',
  '&amp;lt;',
  '"',
  "'",
  '@all',
  '@durov',
  'https://evil.example/x',
  '/approve',
  '#tag',
  '$USD',
  'a@b.example',
  '+1 202 555 0100',
  'раураl',
  'pаypal',
  'ｒｍ',
  '𝐫𝐦',
  'שלום',
  '\u{1f600}',
  'rm -rf /',
  '\u0e49'.repeat(40),
  'ก\u0e49'.repeat(3),
  '\u0315\u0300'.repeat(20),
  'नि\u0902\u0951',
  '\u20dd',
];

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.oneof(fc.constantFrom(...hostilePieces), fc.string({ unit: 'binary', maxLength: 4 })), {
      maxLength: 30,
    })
    .map((pieces) => pieces.join('')),
  fc.string({ maxLength: 300 }),
);

/** Written apart from the code under test: characters that a reader cannot see, line ends aside. */
export const UNSEEN_BUT_LINE_END = new RegExp(
  '(?!\\n)[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Co}\\p{Cn}\\p{Zl}\\p{Zp}\\u2000-\\u200a\\u{e0100}-\\u{e01ef}]|' +
    [0xa0, 0x34f, 0x115f, 0x1160, 0x1680, 0x17b4, 0x17b5, 0x180b, 0x180c, 0x180d, 0x180f, 0x202f, 0x205f]
      .concat([0x2800, 0x3000, 0x3164, 0xffa0, 0xfffc])
      .concat(Array.from({ length: 16 }, (_, i) => 0xfe00 + i))
      .map((point) => `\\u{${point.toString(16)}}`)
      .join('|'),
  'u',
);

/** A mark that is not one of the first two on a letter: it is drawn over something else. */
export const PAINTING_MARK = /(?<!\p{L}|\p{L}\p{M})\p{M}/u;
