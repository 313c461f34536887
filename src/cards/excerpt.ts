/** The beginning and the end of a text, and the number of omitted characters (UTF-16 units) between them. */
export interface Excerpt {
  readonly head: string;
  readonly tail: string;
  readonly leftOut: number;
}

/**
 * Shortens visible text to at most `length` units, in two halves. It never cuts an escape, nor a mark from its letter:
 * alone, the mark would be drawn over the character before it.
 */
export function excerpt(visible: string, length: number): Excerpt {
  const half = Math.max(0, Math.floor(length / 2));
  const head = visible.slice(0, cutBackward(visible, half));
  const tail = visible.slice(cutForward(visible, visible.length - half));
  return { head, tail, leftOut: visible.length - head.length - tail.length };
}

/** Visible text in at most `length` units, with an ellipsis if it is cut. */
export function beginning(visible: string, length: number): string {
  return visible.length <= length ? visible : `${visible.slice(0, cutBackward(visible, length - 1))}…`;
}

/** Position at or before `at` where a cut breaks no escape and no surrogate pair. */
export function safeCut(visible: string, at: number): number {
  return cutBackward(visible, at);
}

function cutBackward(visible: string, at: number): number {
  return partAcross(visible, at)?.start ?? at;
}

function cutForward(visible: string, at: number): number {
  return partAcross(visible, at)?.end ?? at;
}

/** Longer than any escape with its count, so that a cut searches only a bounded part of the text. */
const LONGEST_ESCAPE = 32;
/** A letter and its visible marks, in units: each may be a surrogate pair. */
const LONGEST_CLUSTER = 6;
const ESCAPE = /\\u\{[^}]*\}/g;
const CLUSTER = /[^\p{M}]\p{M}+/gu;

/** The escape, surrogate pair, or letter with its marks that a cut at `at` would break. */
function partAcross(visible: string, at: number): { start: number; end: number } | undefined {
  return (
    matchAcross(visible, at, ESCAPE, LONGEST_ESCAPE) ??
    matchAcross(visible, at, CLUSTER, LONGEST_CLUSTER) ??
    matchAcross(visible, at, /[\ud800-\udbff][\udc00-\udfff]/g, 2)
  );
}

function matchAcross(
  visible: string,
  at: number,
  pattern: RegExp,
  longest: number,
): { start: number; end: number } | undefined {
  const from = Math.max(0, at - longest);
  for (const match of visible.slice(from, at + longest).matchAll(pattern)) {
    const start = from + match.index;
    const end = start + match[0].length;
    if (start < at && at < end) return { start, end };
  }
  return undefined;
}
