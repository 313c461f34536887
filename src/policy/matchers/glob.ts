import picomatch from 'picomatch';

/** More characters than this in one segment are not a file's name on any file system. */
export const MAX_SEGMENT = 255;
/** Linux accepts no longer path. */
export const MAX_TEXT = 4096;
/** Each `*` multiplies the steps of a match by the length of the segment. */
const MAX_STARS_IN_A_SEGMENT = 3;

/** True if the text matches. */
export type Glob = (text: string) => boolean;

/** A text that no glob can judge within the bound. */
export class TooLongToMatch extends Error {
  override readonly name = 'TooLongToMatch';

  constructor() {
    super(`A text of more than ${MAX_TEXT} characters, or ${MAX_SEGMENT} without a slash, is not matched.`);
  }
}

/** The fault of a glob in words; null if it has none. */
export function globFault(pattern: string): string | null {
  if (/[!@+*?]\(/.test(pattern)) return 'uses an extended glob such as !(…); only * ** ? [a-z] {a,b} are known';
  if (pattern.startsWith('!')) return 'begins with "!"; a glob cannot say "not", use except or another rule';
  if (pattern.includes('\\')) return 'contains a backslash; write paths with "/"';
  if (/\{[^}]*(?:\/|\.\.|$)/.test(pattern)) return 'has a { } that is not closed, or contains "/" or ".."';
  const segments = pattern.split('/');
  if (segments.some((segment) => segment !== '**' && segment.includes('**'))) {
    return 'has ** beside other characters; write ** alone between slashes';
  }
  if (segments.some((segment) => segment !== '**' && segment.split('*').length - 1 > MAX_STARS_IN_A_SEGMENT)) {
    return `has more than ${MAX_STARS_IN_A_SEGMENT} * between two slashes`;
  }
  return null;
}

/**
 * Compiles a glob: `*` and `?` within a segment, `**` for any number of segments, `[a-z]`, `{a,b}`; names that begin
 * with a dot match too. picomatch matches the segments one by one, and a table joins them: a single regular expression
 * for the whole path would take exponential time for some paths that an agent can choose.
 */
export function compileGlob(pattern: string, { nocase = false } = {}): Glob {
  const segments = pattern.split('/').map((segment) => (segment === '**' ? ANY : compileSegment(segment, nocase)));
  if (segments.length === 1 && pattern === '*') return () => true;
  return (text) => {
    if (text.length > MAX_TEXT) throw new TooLongToMatch();
    const parts = text.split('/');
    if (parts.some((part) => part.length > MAX_SEGMENT)) throw new TooLongToMatch();
    return matchSegments(segments, parts);
  };
}

const ANY = Symbol('**');
type Segment = Glob | typeof ANY;

function compileSegment(segment: string, nocase: boolean): Glob {
  if (!/[*?[{]/.test(segment)) {
    if (!nocase) return (part) => part === segment;
    const folded = segment.toLowerCase();
    return (part) => part.toLowerCase() === folded;
  }
  // picomatch reads these as parts of a regular expression.
  const matches = picomatch(segment.replace(/[()|+$]/g, '\\$&'), { dot: true, nocase, nonegate: true, noextglob: true });
  // picomatch refuses "." and ".." for "*"; callers resolve them before they match.
  return (part) => matches(part);
}

/** Row by row: the positions of the text that the pattern so far can reach. */
function matchSegments(pattern: readonly Segment[], parts: readonly string[]): boolean {
  let reached: boolean[] = Array.from({ length: parts.length + 1 }, (_, at) => at === 0);
  for (const segment of pattern) {
    const next = Array.from<boolean>({ length: parts.length + 1 }).fill(false);
    for (let at = 0, any = false; at <= parts.length; at += 1) {
      if (segment === ANY) next[at] = any = any || reached[at] === true;
      else if (at > 0 && reached[at - 1]) next[at] = segment(parts[at - 1]!);
    }
    if (!next.includes(true)) return false;
    reached = next;
  }
  return reached[parts.length]!;
}
