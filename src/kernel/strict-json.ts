import { isUtf8 } from 'node:buffer';
import { InvalidInput } from './errors';
import type { JsonValue } from './json';
import { jsonFaults } from './json-faults';

/** How many objects and arrays may stand inside each other; the outermost is the first. */
export const DEFAULT_MAX_DEPTH = 64;

export interface StrictJsonLimits {
  readonly maxDepth?: number;
}

/** The text is not JSON that means the same to every reader; `errors` says where and why. */
export class StrictJsonError extends InvalidInput {}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
/** Without an exponent, it takes that many to write a number that a double takes for 0. */
const LONG_FRACTION = '0'.repeat(300);
const BYTE_ORDER_MARK = '\ufeff';

/**
 * Reads JSON that every reader understands alike (RFC 7493): valid UTF-8 without a byte order mark, no name
 * twice in one object, no lone surrogate, no number that a double cannot hold or takes for 0, no integer literal
 * beyond ±(2^53 − 1), bounded nesting. `\u0000` and names such as `__proto__` are data and are kept.
 *
 * It lies on the way of every enqueue, so it is `JSON.parse` plus one look at the text and one at the value;
 * only when one of them leaves a doubt is the text read again, slowly, to say what is wrong and where.
 *
 * @throws StrictJsonError and nothing else.
 */
export function parseStrictJson(source: Uint8Array | string, limits: StrictJsonLimits = {}): JsonValue {
  const maxDepth = limits.maxDepth ?? DEFAULT_MAX_DEPTH;
  const text = decode(source);
  const members = countMembers(text, maxDepth);
  if (members === undefined) throw new StrictJsonError(jsonFaults(text, maxDepth));

  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    // The engine's own message quotes the body and has no position; ours has a position and quotes nothing.
    throw new StrictJsonError(jsonFaults(text, maxDepth));
  }
  const escapesSurrogates = text.includes('\\ud') || text.includes('\\uD');
  const mayUnderflow = text.includes('e-') || text.includes('E-') || text.includes(LONG_FRACTION);
  if (membersOf(value, escapesSurrogates, mayUnderflow) !== members) {
    const faults = jsonFaults(text, maxDepth);
    if (faults.length > 0) throw new StrictJsonError(faults);
  }
  return value;
}

function decode(source: Uint8Array | string): string {
  if (typeof source === 'string' ? !source.isWellFormed() : !isUtf8(source)) refuse('is not valid UTF-8');
  const text =
    typeof source === 'string'
      ? source
      : Buffer.from(source.buffer, source.byteOffset, source.byteLength).toString('utf8');
  if (text.length === 0) refuse('is empty; JSON was expected');
  if (text.startsWith(BYTE_ORDER_MARK)) refuse('begins with a byte order mark');
  return text;
}

function refuse(message: string): never {
  throw new StrictJsonError([{ path: '', message }]);
}

/**
 * Counts the members written in a JSON text, duplicates included: every colon outside a string is one.
 * Undefined when it nests too deeply.
 */
function countMembers(text: string, maxDepth: number): number | undefined {
  let members = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) at = endOfString(text, at);
    else if (unit === COLON) members++;
    // `[` and `{` differ only in the bit 0x20, and so do `]` and `}`.
    else if ((unit | 0x20) === 0x7b) {
      if (++depth > maxDepth) return undefined;
    } else if ((unit | 0x20) === 0x7d) depth--;
  }
  return members;
}

/** The index of the quote that ends the string begun at `start`; the text's length when none does. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

/**
 * Counts the members that the value holds: fewer than were written when a name came twice, because the last
 * one wins. NaN, which equals no count, when a number or a string needs a closer look.
 */
function membersOf(value: JsonValue, escapesSurrogates: boolean, mayUnderflow: boolean): number {
  if (typeof value === 'string') return escapesSurrogates && !value.isWellFormed() ? NaN : 0;
  if (typeof value === 'number') {
    return Math.abs(value) > Number.MAX_SAFE_INTEGER || (mayUnderflow && value === 0) ? NaN : 0;
  }
  if (typeof value !== 'object' || value === null) return 0;
  let members = 0;
  if (isArray(value)) {
    for (const element of value) members += membersOf(element, escapesSurrogates, mayUnderflow);
    return members;
  }
  for (const [name, member] of Object.entries(value)) {
    if (escapesSurrogates && !name.isWellFormed()) return NaN;
    members += 1 + membersOf(member, escapesSurrogates, mayUnderflow);
  }
  return members;
}

/** `Array.isArray` does not narrow readonly arrays. */
function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
