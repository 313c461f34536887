import { isUtf8 } from 'node:buffer';
import { InvalidInput, type InputFault } from './errors';
import type { JsonValue } from './json';
import { jsonFaults, type JsonLimits } from './json-faults';
import { endOfNumber, numberFault } from './json-numbers';
import { runInTurns } from './run-in-turns';
import { runAtOnce, type Steps } from './steps';

/** Maximum nesting of objects and arrays; the outermost is the first. */
export const DEFAULT_MAX_DEPTH = 64;

/**
 * Maximum number of objects, arrays and members of a text. They cost a hundred times as much as their bytes, at every
 * parse, sort and print: 4 MiB of nothing else would block the event loop for a second.
 */
export const DEFAULT_MAX_PARTS = 50_000;

export interface StrictJsonLimits {
  readonly maxDepth?: number;
  readonly maxParts?: number;
}

/** The text is not JSON that every reader understands alike; `errors` has places and reasons. */
export class StrictJsonError extends InvalidInput {
  constructor(
    errors: readonly InputFault[],
    /** True if the text is not JSON at all. */
    readonly isOtherText = false,
  ) {
    super(errors);
  }
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const BYTE_ORDER_MARK = '\ufeff';

/** Characters checked before other work gets a turn: a few milliseconds' worth. */
const CHARACTERS_IN_A_TURN = 64 * 1024;

/**
 * Parses JSON that every reader understands alike (RFC 7493): valid UTF-8 without a byte order mark, no name twice in
 * one object, no lone surrogate, no number that a double does not hold as written, bounded nesting and a bounded number
 * of parts. `\u0000` and names such as `__proto__` are data and are kept.
 *
 * Every enqueue runs it, so it is `JSON.parse` plus one pass over the text and one over the value. Only if a pass finds
 * a doubt does it read the text again, slowly, to locate the faults.
 *
 * @throws StrictJsonError and nothing else.
 */
export function parseStrictJson(source: Uint8Array | string, limits: StrictJsonLimits = {}): JsonValue {
  return runAtOnce(read(source, limits));
}

/**
 * Parses like {@link parseStrictJson}, but lets other work run in between, so that no body blocks the event loop for
 * long. Rejects with StrictJsonError and nothing else.
 */
export function parseStrictJsonInTurns(source: Uint8Array | string): Promise<JsonValue> {
  return runInTurns(read(source, {}));
}

/** Yields where it may be interrupted. */
function* read(
  source: Uint8Array | string,
  { maxDepth = DEFAULT_MAX_DEPTH, maxParts = DEFAULT_MAX_PARTS }: StrictJsonLimits,
): Steps<JsonValue> {
  const text = decode(source);
  function* refusal(): Steps<StrictJsonError> {
    const { errors, isOtherText } = yield* jsonFaults(text, { maxDepth, maxParts });
    return new StrictJsonError(errors, isOtherText);
  }
  const look = new Look(text, { maxDepth, maxParts });
  while (look.goOn(CHARACTERS_IN_A_TURN)) yield;
  if (look.isDoubtful) throw yield* refusal();

  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    // The engine's own message quotes the body and has no position; ours has a position and quotes nothing.
    throw yield* refusal();
  }
  yield;
  const escapesSurrogates = text.includes('\\ud') || text.includes('\\uD');
  if (membersOf(value, escapesSurrogates) !== look.members) throw yield* refusal();
  yield;
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

/** One pass over a JSON text, which does not check the grammar. */
class Look {
  /** Members written, duplicates included: every colon outside a string is one. */
  members = 0;
  /** True if a limit is exceeded, or a double does not hold a number as written. */
  isDoubtful = false;
  private containers = 0;
  private depth = 0;
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly limits: JsonLimits,
  ) {}

  /** Checks about this many more characters. @returns true if there is more to check. */
  goOn(characters: number): boolean {
    const { text } = this;
    const { maxDepth, maxParts } = this.limits;
    const until = Math.min(this.at + characters, text.length);
    let { members, containers, depth, at } = this;
    for (; at < until; at++) {
      const unit = text.charCodeAt(at);
      if (unit === QUOTE) at = endOfString(text, at);
      else if (unit === COLON) members++;
      // `[` and `{` differ only in the bit 0x20, and so do `]` and `}`.
      else if ((unit | 0x20) === 0x7b) {
        containers++;
        if (++depth > maxDepth) this.isDoubtful = true;
        if (this.isDoubtful) break;
      } else if ((unit | 0x20) === 0x7d) depth--;
      else if ((unit >= ZERO && unit <= NINE) || unit === MINUS) {
        const end = endOfNumber(text, at);
        if (end >= 0) at = end - 1;
        else {
          this.isDoubtful = numberFault(text.slice(at, ~end)) !== null;
          if (this.isDoubtful) break;
          at = ~end - 1;
        }
      }
    }
    Object.assign(this, { members, containers, depth, at });
    this.isDoubtful ||= containers + members > maxParts;
    return !this.isDoubtful && at < text.length;
  }
}

/** The index of the quote that ends the string begun at `start`; the text's length if there is none. */
function endOfString(text: string, start: number): number {
  const end = text.indexOf('"', start + 1);
  if (end === -1) return text.length;
  if (text.charCodeAt(end - 1) !== BACKSLASH) return end;
  for (let at = start + 1; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at;
    if (unit === BACKSLASH) at++;
  }
  return text.length;
}

/**
 * Counts the members of the value: fewer than written if a name came twice, because the last one wins. Returns NaN,
 * which equals no count, if a string has a lone surrogate.
 */
function membersOf(value: JsonValue, escapesSurrogates: boolean): number {
  if (typeof value === 'string') return escapesSurrogates && !value.isWellFormed() ? NaN : 0;
  if (typeof value !== 'object' || value === null) return 0;
  let members = 0;
  if (isArray(value)) {
    for (const element of value) members += membersOf(element, escapesSurrogates);
    return members;
  }
  for (const [name, member] of Object.entries(value)) {
    if (escapesSurrogates && !name.isWellFormed()) return NaN;
    members += 1 + membersOf(member, escapesSurrogates);
  }
  return members;
}

/** `Array.isArray` does not narrow readonly arrays. */
function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
