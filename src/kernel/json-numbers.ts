import { abbreviate } from './cut-text';

/** Maximum length of a literal in a message; longer ones are cut. */
const MAX_SHOWN = 40;

const ZERO = 0x30;
const NINE = 0x39;
const POINT = 0x2e;
const MINUS = 0x2d;
const PLUS = 0x2b;
/** `E` differs only in the bit 0x20. */
const EXPONENT = 0x65;

/** Digits that a double in the range of normal numbers holds exactly (IEEE 754, DBL_DIG). */
const EXACT_DIGITS = 15;
/** `e12`, `e-9`: with {@link EXACT_DIGITS} before it, the number stays in that range. */
const EXACT_EXPONENT_LENGTH = 3;

const PARTS = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/**
 * Finds the end of the number that begins at `start`. Returns its complement (`~end`) if a double may not hold the
 * number as written, so that {@link numberFault} must check it. Does not check the grammar.
 */
export function endOfNumber(text: string, start: number): number {
  const isNegative = text.charCodeAt(start) === MINUS;
  const first = isNegative ? start + 1 : start;
  let exponentAt = -1;
  let isZero = true;
  let end = first;
  for (; ; end++) {
    const unit = text.charCodeAt(end);
    if (unit > ZERO && unit <= NINE) isZero &&= exponentAt !== -1;
    else if ((unit | 0x20) === EXPONENT) exponentAt = end;
    else if (unit !== ZERO && unit !== POINT && unit !== MINUS && unit !== PLUS) break;
  }
  const mantissaEnd = exponentAt === -1 ? end : exponentAt;
  const isExact = isZero
    ? !isNegative
    : mantissaEnd - first <= EXACT_DIGITS && end - mantissaEnd <= EXACT_EXPONENT_LENGTH;
  return isExact ? end : ~end;
}

/**
 * Describes why a double does not hold a number as written; null if it does. It does if the shortest text of the double
 * has the same decimal value: RFC 8785 writes that text, and it is digested and shown. Linear in the literal.
 *
 * @param literal a number by the grammar of JSON
 */
export function numberFault(literal: string): string | null {
  const value = Number(literal);
  const printed = String(value);
  if (printed === literal) return null;
  const shown = abbreviate(literal, MAX_SHOWN);
  if (!Number.isFinite(value))
    return `is a number beyond the range of a double (${shown}); send it as a string`;
  const written = decimalOf(literal);
  if (written !== '0' && value === 0)
    return `is a number too small for a double (${shown}), it would become 0; send it as a string`;
  // Zero has no sign in RFC 8785.
  if (written === decimalOf(printed) && !Object.is(value, -0)) return null;
  return `is a number that a double does not hold as written: ${shown} would become ${printed}; send it as a string`;
}

/** One spelling for each decimal value, without its sign: `12.50`, `125e-1` and `0.00125e4` are `125e2`. */
function decimalOf(number: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = PARTS.exec(number) ?? [];
  const digits = whole + fraction;
  let begin = 0;
  let end = digits.length;
  while (digits.charCodeAt(begin) === ZERO) begin++;
  while (end > begin && digits.charCodeAt(end - 1) === ZERO) end--;
  if (begin === end) return '0';
  return `${digits.slice(begin, end)}e${Number(exponent) + whole.length - begin}`;
}
