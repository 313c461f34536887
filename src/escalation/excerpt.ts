/** The beginning and the end of a text, and how many characters (UTF-16 units) between them are left out. */
export interface Excerpt {
  readonly head: string;
  readonly tail: string;
  readonly leftOut: number;
}

/** Of visible text longer than `length` units, that much or little less in two halves. Never cuts an escape. */
export function excerpt(visible: string, length: number): Excerpt {
  const half = Math.max(0, Math.floor(length / 2));
  const head = visible.slice(0, cutBackward(visible, half));
  const tail = visible.slice(cutForward(visible, visible.length - half));
  return { head, tail, leftOut: visible.length - head.length - tail.length };
}

/** Visible text in at most `length` units, with an ellipsis where it goes on. */
export function beginning(visible: string, length: number): string {
  return visible.length <= length ? visible : `${visible.slice(0, cutBackward(visible, length - 1))}…`;
}

function cutBackward(visible: string, at: number): number {
  return partAcross(visible, at)?.start ?? at;
}

function cutForward(visible: string, at: number): number {
  return partAcross(visible, at)?.end ?? at;
}

/** The escape or surrogate pair that a cut at `at` would break. */
function partAcross(visible: string, at: number): { start: number; end: number } | undefined {
  const start = visible.lastIndexOf('\\u{', at - 1);
  const end = start === -1 ? 0 : visible.indexOf('}', start) + 1;
  if (at > 0 && start < at && at < end) return { start, end };
  const inPair = /^[\ud800-\udbff][\udc00-\udfff]$/.test(visible.slice(Math.max(0, at - 1), at + 1));
  return inPair ? { start: at - 1, end: at + 1 } : undefined;
}
