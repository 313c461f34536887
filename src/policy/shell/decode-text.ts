const BACKSLASH = 0x5c;
const DOLLAR = 0x24;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const ZERO = 0x30;

/** Forms of a character by its number, after the backslash: `\x6b`, `\x{6b}`, `\u006b`, `\U0000006b`, `\153`, `\55`. */
const HEX = 0x78;
const UNICODE = 0x75;
const LONG_UNICODE = 0x55;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const MAX_DIGITS = { hex: 2, unicode: 4, longUnicode: 8, octal: 3 };

const KEPT = 1;
const BLANK = 2;
const IGNORED = 3;

/** The kind of each character of the first plane; 0: not known yet. */
const kinds = new Uint8Array(0x10000);

function kindOf(code: number): number {
  if (kinds[code] === 0) {
    const character = String.fromCharCode(code);
    const isIgnored = /[\p{Default_Ignorable_Code_Point}\0]/u.test(character);
    kinds[code] = isIgnored ? IGNORED : /\p{Z}/u.test(character) ? BLANK : KEPT;
  }
  return kinds[code] ?? KEPT;
}

/**
 * A text as it may read when its quotes, backslashes, continued lines and invisible characters are gone; in linear time.
 * `k\ubectl` is `kubectl` to a shell, and has the number of a character to others: `isNumbered` chooses.
 */
export function decodeText(text: string, isNumbered: boolean): string {
  const codes = new Uint16Array(text.length);
  let length = 0;
  const keep = (code: number): void => {
    if (code === SINGLE_QUOTE || code === DOUBLE_QUOTE) {
      // `$'…'` is a quoted word, too.
      if (length > 0 && codes[length - 1] === DOLLAR) length -= 1;
      return;
    }
    const kind = kindOf(code);
    if (kind !== IGNORED) codes[length++] = kind === BLANK ? SPACE : code;
  };
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) {
      const breaks = lengthOfBreak(text, at + 1);
      const digits = breaks === 0 && isNumbered ? digitsAt(text, at + 1) : null;
      if (digits) keep(digits.code);
      at += digits?.length ?? breaks;
    } else if (isIgnoredPair(text, at)) at += 1;
    else keep(code);
  }
  return Buffer.from(codes.buffer, 0, 2 * length).toString('utf16le');
}

function lengthOfBreak(text: string, at: number): number {
  if (text.charCodeAt(at) === NEWLINE) return 1;
  return text.charCodeAt(at) === RETURN && text.charCodeAt(at + 1) === NEWLINE ? 2 : 0;
}

/** The character whose number begins at a place; null if none does. */
function digitsAt(text: string, at: number): { readonly code: number; readonly length: number } | null {
  const form = text.charCodeAt(at) | SPACE;
  if (form !== HEX && form !== UNICODE) {
    const { code, length } = readNumber(text, at, 8, MAX_DIGITS.octal);
    return length === 0 ? null : { code, length };
  }
  if (text.charCodeAt(at + 1) === OPEN_BRACE) {
    const { code, length } = readNumber(text, at + 2, 16, MAX_DIGITS.longUnicode);
    const isClosed = length > 0 && text.charCodeAt(at + 2 + length) === CLOSE_BRACE;
    return isClosed ? { code, length: length + 3 } : null;
  }
  const isLong = text.charCodeAt(at) === LONG_UNICODE;
  const max = form === HEX ? MAX_DIGITS.hex : isLong ? MAX_DIGITS.longUnicode : MAX_DIGITS.unicode;
  const { code, length } = readNumber(text, at + 1, 16, max);
  return length === 0 ? null : { code, length: length + 1 };
}

function readNumber(
  text: string,
  at: number,
  base: 8 | 16,
  max: number,
): { readonly code: number; readonly length: number } {
  let code = 0;
  let length = 0;
  for (; length < max; length++) {
    const digit = digitOf(text.charCodeAt(at + length));
    if (digit < 0 || digit >= base) break;
    code = code * base + digit;
  }
  return { code, length };
}

function digitOf(code: number): number {
  if (code >= ZERO && code <= ZERO + 9) return code - ZERO;
  const letter = (code | SPACE) - 0x61;
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

/** True for a character beyond the first plane that readers ignore: tags, variation selectors, signs of layout. */
function isIgnoredPair(text: string, at: number): boolean {
  if ((text.charCodeAt(at) & 0xfc00) !== 0xd800) return false;
  const code = text.codePointAt(at) ?? 0;
  return (
    (code >= 0xe0000 && code <= 0xe0fff) ||
    (code >= 0x1d173 && code <= 0x1d17a) ||
    (code >= 0x1bca0 && code <= 0x1bca3)
  );
}
