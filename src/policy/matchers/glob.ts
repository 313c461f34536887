import picomatch from 'picomatch';

/** More characters than this in one segment are not a file's name on any file system. */
export const MAX_SEGMENT = 255;
/** Linux accepts no longer path. */
export const MAX_TEXT = 4096;
/** Each `*` multiplies the steps of a match by the length of the segment. */
const MAX_STARS_IN_A_SEGMENT = 2;

/** True if the text, split at its slashes, matches. */
export type Glob = (parts: readonly string[]) => boolean;

/** A text that no glob can judge within the bound. */
export class TooLongToMatch extends Error {
  override readonly name = 'TooLongToMatch';

  constructor() {
    super(`A text of more than ${MAX_TEXT} characters, or ${MAX_SEGMENT} without a slash, is not matched.`);
  }
}

/** The fault of a glob in words; null if it has none. */
export function globFault(pattern: string): string | null {
  if (/[!@+*?]\(/.test(pattern))
    return 'uses an extended glob such as !(…); only * ** ? [a-z] {a,b} are known';
  if (pattern.startsWith('!')) return 'begins with "!"; a glob cannot say "not", use except or another rule';
  if (pattern.includes('\\')) return 'contains a backslash; write paths with "/"';
  if (/\{[^}]*(?:\/|\.\.|$)/.test(pattern)) return 'has a { } that is not closed, or contains "/" or ".."';
  if (/\{[^}]*\{/.test(pattern)) return 'has { } within { }; write one list';
  const fault = classFault(pattern);
  if (fault !== null) return fault;
  const segments = pattern.split('/');
  if (segments.some((segment) => segment !== '**' && segment.includes('**'))) {
    return 'has ** beside other characters; write ** alone between slashes';
  }
  if (
    segments.some((segment) => segment !== '**' && segment.split('*').length - 1 > MAX_STARS_IN_A_SEGMENT)
  ) {
    return `has more than ${MAX_STARS_IN_A_SEGMENT} * between two slashes`;
  }
  return null;
}

/** The fault of the `[ ]` of a glob; picomatch takes some for another class, and some for one that matches nothing. */
function classFault(pattern: string): string | null {
  if (pattern.includes('[!')) return 'uses [!…], which shells read as "none of"; write [^…]';
  const classes = pattern.match(CLASS) ?? [];
  if (/[[\]]/.test(pattern.replace(CLASS, ''))) {
    return 'has a [ ] that is empty, not closed or in another; write [abc], [a-z] or [^a-z]';
  }
  const ranges = classes.flatMap((written) => written.match(/[^[^]-[^\]]/g) ?? []);
  const wrong = ranges.find((range) => !RANGE.test(range) || range.charAt(0) > range.charAt(2));
  return wrong === undefined ? null : `has the range ${wrong}; write one such as a-z, A-Z or 0-9`;
}

/** One or more printable characters, of which `^` is only the first. */
const CLASS = /\[\^?[\x20-\x2e\x30-\x5a_-\x7e]+\]/g;
const RANGE = /^(?:[a-z]-[a-z]|[A-Z]-[A-Z]|\d-\d)$/;

/**
 * Compiles a glob of paths: `*` and `?` within a segment, `**` for any number of segments, `[a-z]`, `{a,b}`; names that begin
 * with a dot match too. picomatch matches the segments one by one: a regular expression for the whole path would take
 * exponential time for some paths that an agent can choose.
 */
export function compileGlob(pattern: string): Glob {
  if (pattern === '*') return () => true;
  const segments = pattern.split('/').map((segment) => (segment === '**' ? ANY : compileSegment(segment)));
  return (parts) => matchSegments(segments, parts);
}

/** Compiles the directories above all that a glob matches, as far as its first `**`. */
export function compileAbove(pattern: string): Glob {
  const segments = pattern.split('/');
  const any = segments.indexOf('**');
  const fixed = (any < 0 ? segments : segments.slice(0, any)).map(compileSegment);
  return (parts) =>
    parts.length <= fixed.length &&
    parts.every((part, i) => {
      const segment = fixed[i];
      return typeof segment === 'function' ? segment(part) : segment === part;
    });
}

/**
 * Splits a text for globs.
 *
 * @throws TooLongToMatch
 */
export function partsOf(text: string): readonly string[] {
  if (text.length > MAX_TEXT) throw new TooLongToMatch();
  const parts = text.split('/');
  if (parts.some((part) => part.length > MAX_SEGMENT)) throw new TooLongToMatch();
  return parts;
}

const ANY = Symbol('**');
type Segment = string | ((part: string) => boolean) | typeof ANY;

function compileSegment(segment: string): Segment {
  if (!/[*?[{]/.test(segment)) return segment;
  // picomatch reads these as parts of a regular expression.
  return picomatch(segment.replace(/[()|+$]/g, '\\$&'), { dot: true, nonegate: true, noextglob: true });
}

/** A `**` takes as little as it can; if the rest does not match, the last one takes one more. No earlier one needs to. */
function matchSegments(pattern: readonly Segment[], parts: readonly string[]): boolean {
  let at = 0;
  let part = 0;
  let lastAny = -1;
  let taken = 0;
  while (part < parts.length) {
    const segment = pattern[at];
    if (segment === ANY) {
      lastAny = at;
      taken = part;
      at += 1;
    } else if (segment !== undefined && isMatch(segment, parts[part] ?? '')) {
      at += 1;
      part += 1;
    } else if (lastAny >= 0) {
      taken += 1;
      at = lastAny + 1;
      part = taken;
    } else {
      return false;
    }
  }
  return pattern.slice(at).every((segment) => segment === ANY);
}

function isMatch(segment: Exclude<Segment, typeof ANY>, part: string): boolean {
  return typeof segment === 'string' ? segment === part : segment(part);
}
