import { piecesOf } from './cut-text';
import type { JsonValue } from './json';
import type { Steps } from './steps';

/** A few milliseconds of work at most. */
const UNITS_IN_A_STEP = 128 * 1024;

/** The bytes of `JSON.stringify(value)`, in steps: for an answer of many MiB. */
export function* makeJson(value: JsonValue): Steps<Buffer> {
  const encoded: Buffer[] = [];
  let pending: string[] = [];
  let units = 0;
  const flush = (): void => {
    encoded.push(Buffer.from(pending.join(''), 'utf8'));
    pending = [];
    units = 0;
  };
  for (const piece of piecesOfJson(value)) {
    pending.push(piece);
    units += piece.length;
    if (units < UNITS_IN_A_STEP) continue;
    flush();
    yield;
  }
  flush();
  return Buffer.concat(encoded);
}

function* piecesOfJson(value: JsonValue): Generator<string> {
  if (typeof value === 'string' && value.length > UNITS_IN_A_STEP) {
    yield '"';
    for (const piece of piecesOf(value, UNITS_IN_A_STEP)) yield JSON.stringify(piece).slice(1, -1);
    yield '"';
  } else if (typeof value !== 'object' || value === null) yield JSON.stringify(value);
  else {
    const isArray = Array.isArray(value);
    let start = isArray ? '[' : '{';
    for (const [name, member] of Object.entries(value) as [string, JsonValue | undefined][]) {
      if (member === undefined) continue;
      yield isArray ? start : `${start}${JSON.stringify(name)}:`;
      yield* piecesOfJson(member);
      start = ',';
    }
    yield start === ',' ? '' : start;
    yield isArray ? ']' : '}';
  }
}
