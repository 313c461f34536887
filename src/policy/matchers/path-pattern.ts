import { compileGlob, globFault, type Glob } from './glob';
import { anyOf, type Match } from './match';
import type { ResolvedPath } from './resolve-path';

const CWD = '${cwd}';
const HOME = '~';
/** The homes that `~` may mean: the service does not know the agent's. */
const HOMES = ['/home/*', '/Users/*', '/root', '/var/root', 'C:/Users/*'];

/** The use of a pattern: to prove a path, or to catch it. */
export type PatternUse = 'prove' | 'catch';

export type PathPattern = (path: ResolvedPath, cwd: ResolvedPath | null) => Match;

/** The fault of a path pattern in words; null if it has none. */
export function pathPatternFault(pattern: string, use: PatternUse): string | null {
  if (pattern.split('/').some((segment) => segment === '..' || segment === '.')) {
    return 'contains "." or ".." as a segment; write the path that results';
  }
  if (pattern === HOME || pattern.startsWith(`${HOME}/`)) {
    return use === 'prove' ? 'begins with "~", and the service does not know the home of the agent; write the path' : null;
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
  const compile = (glob: string) => compileGlob(glob, { nocase: use === 'catch' });
  const test = (glob: Glob, text: string): Match =>
    glob(text) || (use === 'catch' && foldPath(text) !== text && glob(foldPath(text)));

  if (pattern === HOME || pattern.startsWith(`${HOME}/`)) {
    const globs = [HOME, ...HOMES].map((home) => compile(`${home}${pattern.slice(HOME.length)}`));
    return ({ text }) => anyOf(globs.map((glob) => test(glob, text)));
  }
  if (pattern === CWD) return (path, cwd) => (cwd ? path.text === cwd.text : 'missing');
  if (pattern.startsWith(CWD)) {
    const glob = compile(pattern.slice(CWD.length + 1));
    return (path, cwd) => {
      if (!cwd) return 'missing';
      const below = pathBelow(path.text, cwd.text, use);
      return below !== null && test(glob, below);
    };
  }
  const glob = compile(pattern);
  const isRooted = !pattern.startsWith('**');
  return ({ text, root }) => {
    if (isRooted && root === 'unknown') return 'missing';
    if (isRooted && root === 'home') return { reason: 'path', words: `the place of "${text}" is not known` };
    return test(glob, text);
  };
}

/** The path relative to a directory, empty for the directory itself; null if it is not below it. */
function pathBelow(path: string, directory: string, use: PatternUse): string | null {
  const fold = (text: string) => (use === 'catch' ? foldPath(text).toLowerCase() : text);
  if (fold(path) === fold(directory)) return '';
  const root = directory.endsWith('/') ? directory : `${directory}/`;
  return fold(path).startsWith(fold(root)) ? path.slice(root.length) : null;
}

/** The name that file systems take the path for: ignored characters removed, compatible characters united. */
function foldPath(path: string): string {
  return path
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .normalize('NFKC')
    .split('/')
    .map((segment) => segment.replace(/(?::.*|[. ]+)$/, '') || segment)
    .join('/');
}

/** True if a path below the directory may match. A pattern without a fixed beginning may match anywhere. */
export function mayMatchBelow(pattern: string, directory: ResolvedPath, cwd: ResolvedPath | null): boolean {
  const [beginning = ''] = (cwd ? pattern.replace(CWD, cwd.text) : pattern).split(/\/?[^/]*[*?[{]/, 1);
  if (!/^(?:\/|[A-Za-z]:\/)/.test(beginning) || directory.root !== 'absolute') return true;
  return (
    pathBelow(beginning, directory.text, 'catch') !== null || pathBelow(directory.text, beginning, 'catch') !== null
  );
}
