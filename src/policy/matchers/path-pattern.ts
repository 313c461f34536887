import { compileAbove, compileGlob, globFault, type Glob } from './glob';
import type { Match } from './match';
import { ResolvedPath } from './resolve-path';

const CWD = '${cwd}';
const HOME = '~';
/** The homes that `~` may mean, in lower case: the service does not know the agent's. */
const HOMES = ['/home/*', '/users/*', '/root', '/var/root', 'c:/users/*'];

/** The use of a pattern: to prove a path, or to catch it. */
export type PatternUse = 'prove' | 'catch';

export type PathPattern = (path: ResolvedPath, cwd: ResolvedPath | null) => Match;

/** The fault of a path pattern in words; null if it has none. */
export function pathPatternFault(pattern: string, use: PatternUse): string | null {
  if (pattern.split('/').some((segment) => segment === '..' || segment === '.')) {
    return 'contains "." or ".." as a segment; write the path that results';
  }
  if (pattern === HOME || pattern.startsWith(`${HOME}/`)) {
    return use === 'prove'
      ? 'begins with "~", and the service does not know the home of the agent; write the path'
      : null;
  }
  if (pattern.startsWith(`${CWD}/`) || pattern === CWD) return globFault(pattern.slice(CWD.length));
  if (pattern.includes(CWD)) return `has ${CWD} in the middle; it can only be the beginning`;
  if (!/^(?:\/|[A-Za-z]:\/|\*\*(?:\/|$))/.test(pattern)) {
    return `is relative; begin with "/", "**/"${use === 'prove' ? '' : ', "~/"'} or "${CWD}/"`;
  }
  return globFault(pattern);
}

/**
 * Compiles a pattern of paths. One that catches also finds other spellings of the same file: another case, and characters
 * that file systems ignore.
 */
export function compilePathPattern(pattern: string, use: PatternUse): PathPattern {
  const written = use === 'catch' ? pattern.replace(CWD, '\0').toLowerCase().replace('\0', CWD) : pattern;
  if (written === HOME || written.startsWith(`${HOME}/`)) {
    const globs = [HOME, ...HOMES].map((home) => compileGlob(`${home}${written.slice(HOME.length)}`));
    return (path) => globs.some((glob) => spellingsOf(path, use).some(glob));
  }
  if (written.startsWith(CWD)) {
    const isCwdItself = written === CWD;
    const glob = compileGlob(written.slice(CWD.length + 1));
    return (path, cwd) => {
      if (!cwd) return 'missing';
      return restsBelow(path, cwd, use).some((rest) => (isCwdItself ? rest.length === 0 : glob(rest)));
    };
  }
  const glob = compileGlob(written);
  const isRooted = !written.startsWith('**');
  return (path) => {
    if (isRooted && path.root === 'unknown') return 'missing';
    if (isRooted && path.root === 'home') {
      return { reason: 'path', words: `the place of "${path.text}" is not known` };
    }
    return spellingsOf(path, use).some(glob);
  };
}

/** The segments with which every path begins that a pattern matches, or one that every such path has; in lower case. */
export type FixedBeginning = { readonly segments: readonly string[] } | { readonly anywhere: string };

/** Null if a pattern has no fixed segment, or depends on the working directory or on a home. */
export function fixedBeginning(pattern: string): FixedBeginning | null {
  const all = pattern.toLowerCase().split('/');
  if (all[0] === HOME || all[0] === CWD) return null;
  const wild = all.findIndex((segment) => !isFixed(segment));
  if (wild !== 0) return { segments: wild < 0 ? all : all.slice(0, wild) };
  const [longest] = all.filter(isFixed).toSorted((a, b) => b.length - a.length);
  return longest === undefined ? null : { anywhere: longest };
}

const isFixed = (segment: string): boolean => !/[*?[{]/.test(segment);

/**
 * Compiles a test for directories that contain what a pattern catches, such as `/srv` for `/srv/keys/**`. Behind a `**` it
 * does not look, since every directory may contain what follows.
 */
export function compileContainer(pattern: string): (path: ResolvedPath, cwd: ResolvedPath | null) => boolean {
  const written = pattern.toLowerCase();
  const isIn = (glob: Glob) => (path: ResolvedPath) =>
    path.spellings.some((parts) => glob(withoutEnd(parts)));
  if (written === HOME || written.startsWith(`${HOME}/`)) {
    const tests = HOMES.map((home) => isIn(compileAbove(`${home}${written.slice(HOME.length)}`)));
    return (path) => tests.some((test) => test(path));
  }
  if (!written.startsWith(CWD)) return isIn(compileAbove(written));
  const glob = compileAbove(written.slice(CWD.length + 1));
  return (path, cwd) =>
    cwd !== null &&
    (restsBelow(cwd, path, 'catch').length > 0 ||
      restsBelow(path, cwd, 'catch').some((rest) => rest.length > 0 && glob(rest)));
}

type Parts = readonly string[];

/** A root ends with a slash, which leaves an empty part. */
function withoutEnd(parts: Parts): Parts {
  return parts.at(-1) === '' ? parts.slice(0, -1) : parts;
}

function spellingsOf(path: ResolvedPath, use: PatternUse): readonly Parts[] {
  return use === 'catch' ? path.spellings : [path.parts];
}

/** The path relative to a directory, in each spelling that is below it; empty for the directory itself. */
function restsBelow(path: ResolvedPath, directory: ResolvedPath, use: PatternUse): Parts[] {
  const rests: Parts[] = [];
  for (const parts of spellingsOf(path, use)) {
    for (const own of spellingsOf(directory, use)) {
      const root = withoutEnd(own);
      if (root.every((part, i) => parts[i] === part)) rests.push(parts.slice(root.length));
    }
  }
  return rests;
}

/** True if a path below the directory may match. A pattern without a fixed beginning may match anywhere. */
export function mayMatchBelow(pattern: string, directory: ResolvedPath, cwd: ResolvedPath | null): boolean {
  const [beginning = ''] = (cwd ? pattern.replace(CWD, cwd.text) : pattern).split(/\/?[^/]*[*?[{]/, 1);
  if (!/^(?:\/|[A-Za-z]:\/)/.test(beginning) || directory.root !== 'absolute') return true;
  const fixed = new ResolvedPath(beginning, 'absolute', null);
  return restsBelow(fixed, directory, 'catch').length > 0 || restsBelow(directory, fixed, 'catch').length > 0;
}
