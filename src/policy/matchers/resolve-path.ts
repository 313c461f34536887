import { MAX_SEGMENT, MAX_TEXT, partsOf } from './glob';

/** A path without `.` and `..`, resolved by its text alone: symbolic links cannot be seen from here. */
export class ResolvedPath {
  private split: readonly string[] | undefined;
  private folded: readonly (readonly string[])[] | undefined;

  constructor(
    readonly text: string,
    /** `unknown`: relative, and the request names no working directory; `home`: begins with `~`. */
    readonly root: 'absolute' | 'home' | 'unknown',
    /** The reason why the agent's machine may take it for another file; null if there is none. */
    readonly doubt: string | null,
  ) {}

  /** @throws TooLongToMatch */
  get parts(): readonly string[] {
    return (this.split ??= partsOf(this.text));
  }

  /**
   * The spellings under which a file system may look for the file, in lower case.
   *
   * @throws TooLongToMatch
   */
  get spellings(): readonly (readonly string[])[] {
    return (this.folded ??= [...new Set([this.text, foldPath(this.parts)])].map((text) =>
      partsOf(text.toLowerCase()),
    ));
  }
}

/** A character that file systems may ignore, or unite with another. */
const FOLDED = /[^\x21-\x7e]|:|\.(?:\/|$)/;

/**
 * The name that file systems take the path for: ignored characters removed, compatible characters united. The length of
 * the parts bounds the time, which is quadratic in a run of combining marks.
 */
function foldPath(parts: readonly string[]): string {
  const path = parts.join('/');
  if (!FOLDED.test(path)) return path;
  return path
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .normalize('NFKC')
    .split('/')
    .map((segment) => withoutEnd(segment) || segment)
    .join('/');
}

/** A name without the stream that Windows reads behind a colon, and without the dots and spaces that it drops. */
function withoutEnd(segment: string): string {
  const [name = ''] = segment.split(':', 1);
  let end = name.length;
  while (end > 0 && (name[end - 1] === '.' || name[end - 1] === ' ')) end -= 1;
  return name.slice(0, end);
}

const WINDOWS_ROOT = /^[A-Za-z]:[\\/]/;
const HIDDEN = /[\p{Cc}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/u;

/** Names that mean themselves on every file system. */
const PLAIN_NAME = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;

/** True for a name that is resolved in no time. */
export function isPlainName(path: string): boolean {
  return path.length <= MAX_SEGMENT && PLAIN_NAME.test(path);
}

/** Resolves a path against a working directory. */
export function resolvePath(path: string, cwd: ResolvedPath | null): ResolvedPath {
  if (isPlainName(path)) {
    if (cwd === null)
      return new ResolvedPath(path, 'unknown', 'a relative path, without a working directory');
    const isBelow =
      cwd.root === 'absolute' && cwd.text.startsWith('/') && cwd.text.length < MAX_TEXT - MAX_SEGMENT;
    if (isBelow)
      return new ResolvedPath(`${cwd.text === '/' ? '' : cwd.text}/${path}`, 'absolute', cwd.doubt);
  }
  const isWindows = WINDOWS_ROOT.test(path) || (cwd !== null && WINDOWS_ROOT.test(cwd.text));
  const written = isWindows ? path.replaceAll('\\', '/') : path;
  const doubt = pathDoubt(written, isWindows);
  if (written === '~' || written.startsWith('~/')) {
    const rest = normalize(written.slice(2));
    const root = rest.startsWith('..') ? 'unknown' : 'home';
    return new ResolvedPath(rest === '' ? '~' : `~/${rest}`, root, doubt ?? 'a path that begins with "~"');
  }
  if (WINDOWS_ROOT.test(written)) {
    return new ResolvedPath(`${written.slice(0, 2)}/${normalizeRooted(written.slice(3))}`, 'absolute', doubt);
  }
  if (written.startsWith('/')) return new ResolvedPath(`/${normalizeRooted(written)}`, 'absolute', doubt);
  if (cwd === null) {
    const relative = doubt ?? 'a relative path, without a working directory';
    return new ResolvedPath(normalize(written), 'unknown', relative);
  }
  const joined = resolvePath(`${cwd.text}/${written}`, null);
  return new ResolvedPath(joined.text, joined.root, cwd.doubt ?? doubt ?? joined.doubt);
}

function pathDoubt(path: string, isWindows: boolean): string | null {
  if (path === '') return 'an empty path';
  if (HIDDEN.test(path)) return 'a path with hidden characters';
  if (path.length > MAX_TEXT || path.split('/').some(({ length }) => length > MAX_SEGMENT))
    return 'a path that is too long';
  if (path !== path.normalize('NFC')) return 'a path with characters of several spellings';
  if (/^~[^/]/.test(path)) return 'a path that begins with "~"';
  if (!isWindows) return path.includes('\\') ? 'a path with a backslash' : null;
  if (path.startsWith('//')) return 'a path of a network share';
  if (/~\d/.test(path)) return 'a path that may be a short name';
  if (path.slice(2).includes(':')) return 'a path with a colon';
  return /[. ](?:\/|$)/.test(path.replace(/(?:^|\/)\.{1,2}(?=\/|$)/g, ''))
    ? 'a path with a trailing dot or space'
    : null;
}

/** Removes `.` and resolves `..`; those that lead above the beginning stay in front. */
function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}

/** As {@link normalize}; nothing is above a root. */
function normalizeRooted(path: string): string {
  return normalize(path).replace(/^(?:\.\.(?:\/|$))+/, '');
}
