import { compileGlob } from '../matchers/glob';

/** True if some path may match both globs. It errs on the side of true. */
export function mayOverlap(a: string, b: string): boolean {
  const left = a.split('/');
  const right = b.split('/');
  const known = new Map<number, boolean>();
  const overlap = (i: number, j: number): boolean => {
    const key = i * (right.length + 1) + j;
    const result = known.get(key) ?? step(i, j);
    known.set(key, result);
    return result;
  };
  const step = (i: number, j: number): boolean => {
    const [one, other] = [left[i], right[j]];
    if (one === '**') return overlap(i + 1, j) || (other !== undefined && overlap(i, j + 1));
    if (other === '**') return overlap(i, j + 1) || (one !== undefined && overlap(i + 1, j));
    if (one === undefined || other === undefined) return one === other;
    return segmentsOverlap(one, other) && overlap(i + 1, j + 1);
  };
  return overlap(0, 0);
}

function segmentsOverlap(a: string, b: string): boolean {
  return expand(a).some((one) =>
    expand(b).some((other) => simpleOverlap(one.toLowerCase(), other.toLowerCase())),
  );
}

function simpleOverlap(a: string, b: string): boolean {
  if (!isWild(a)) return isWild(b) ? compileGlob(b)([a]) : a === b;
  if (!isWild(b)) return compileGlob(a)([b]);
  const [beginA, endA] = ends(a);
  const [beginB, endB] = ends(b);
  const begins = beginA.startsWith(beginB) || beginB.startsWith(beginA);
  return begins && (endA.endsWith(endB) || endB.endsWith(endA));
}

const isWild = (segment: string) => /[*?[]/.test(segment);

/** The fixed characters before the first wildcard and after the last. */
function ends(segment: string): [string, string] {
  return [/^[^*?[]*/.exec(segment)?.[0] ?? '', /[^*?\]]*$/.exec(segment)?.[0] ?? ''];
}

/** The alternatives of a segment with braces. */
function expand(segment: string): string[] {
  const braces = /\{([^}]*)\}/.exec(segment);
  if (!braces) return [segment];
  return (braces[1] ?? '').split(',').flatMap((word) => expand(segment.replace(braces[0], word)));
}
