import { allOf, anyOf, type Doubt, type Match } from '../matchers/match';
import {
  compileContainer,
  compilePathPattern,
  mayMatchBelow,
  type PatternUse,
} from '../matchers/path-pattern';
import type { ResolvedPath } from '../matchers/resolve-path';
import { CUT, NO_COMMAND, type AskedPath, type Facts } from './facts';
import type { Matcher } from './matcher';

const LONG_DIRECTORY: Doubt = { reason: 'limit', words: 'the working directory is too long' };

/**
 * Compiles `path` with `except`. To prove, every path of the request must match and none may be an exception, not even
 * possibly. To catch, one path is enough, unless it certainly is an exception.
 */
export function compilePaths(list: readonly string[], except: readonly string[], use: PatternUse): Matcher {
  const patterns = list.map((pattern) => compilePathPattern(pattern, use));
  const exceptions = except.map((pattern) =>
    compilePathPattern(pattern, use === 'prove' ? 'catch' : 'prove'),
  );
  const containers = use === 'prove' ? [] : list.map((pattern) => compileContainer(pattern));
  const cost = patterns.length + exceptions.length;
  const isAnywhere = list.every((pattern) => pattern.startsWith('**'));

  const prove = ({ path, isTree }: AskedPath, { cwd }: Facts): Match => {
    if (path.doubt !== null) return doubtful(path.doubt);
    if (isTree && (except.length > 0 || !list.every((pattern) => pattern.endsWith('/**')))) {
      return doubtful('the tool reads everything below a directory');
    }
    if (exceptions.some((matches) => matches(path, cwd) !== false)) return false;
    return anyOf(patterns.map((matches) => matches(path, cwd)));
  };
  const match = (path: ResolvedPath, { cwd }: Facts): Match => {
    if (path.doubt === null && exceptions.some((matches) => matches(path, cwd) === true)) return false;
    return anyOf(patterns.map((matches) => matches(path, cwd)));
  };
  const catchPath = ({ path, isTree }: AskedPath, facts: Facts): Match => {
    const found = match(path, facts);
    if (found !== false) return found;
    if (isTree && list.some((pattern) => mayMatchBelow(pattern, path, facts.cwd))) {
      return doubtful('the tool reads everything below a directory');
    }
    return path.doubt === null ? false : doubtful(path.doubt);
  };
  /** Two nets: the words as the shell takes them, and those of the raw text, which finds more where the text is in doubt. */
  const inWords = (facts: Facts): Match => {
    if (facts.lacksCommand) return NO_COMMAND;
    const words = facts.words();
    const isFound = words.found.some(({ path, kind }) => {
      facts.spend(cost);
      if (kind === 'maybe') return false;
      const found = match(path, facts);
      return found === true || (found === 'missing' && kind === 'path' && !facts.hasLongDirectory);
    });
    if (isFound) return true;
    const asked = facts.commandPaths();
    facts.spend(asked.length * cost);
    const matches = asked.map((path) => inCommand(path, facts));
    if (matches.includes(true)) return true;
    // Unlike a directory that the request leaves out, one that is too long must not deny.
    if (facts.hasLongDirectory && asked.some(({ path }) => path.root === 'unknown')) return LONG_DIRECTORY;
    const found = anyOf(matches);
    if (found !== false) return found;
    if (words.found.some(({ path, kind }) => kind === 'maybe' && match(path, facts) === true))
      return doubtful('a word may be the name of a file');
    if (facts.hasLeft && !isAnywhere) return doubtful('the command changes to a directory that is not known');
    if (words.isCut) return CUT;
    const isOpen =
      facts.hasLongDirectory &&
      words.found.some(({ path, kind }) => kind !== 'word' && path.root === 'unknown');
    return isOpen && LONG_DIRECTORY;
  };
  const inCommand = ({ path, isTree }: AskedPath, facts: Facts): Match => {
    const found = match(path, facts);
    // A rule must not be loosened by leaving the directory out.
    if (found === 'missing') return found;
    if (found !== false || !isTree) return found;
    return (
      containers.some((contains) => contains(path, facts.cwd)) &&
      doubtful('the command may read everything below a directory')
    );
  };

  const inMembers = (facts: Facts): Match => {
    const paths = facts.paths();
    if (paths === null) return 'missing';
    const asked = use === 'prove' ? paths : [...paths, ...facts.patterns()];
    facts.spend(asked.length * cost);
    return use === 'prove'
      ? allOf(asked.map((path) => prove(path, facts)))
      : anyOf(asked.map((path) => catchPath(path, facts)));
  };

  return (facts) => {
    if (!facts.has('path', 'tree')) return use === 'catch' && inWords(facts);
    const known = inMembers(facts);
    return use === 'catch' && facts.hasForeign() ? anyOf([known, inWords(facts)]) : known;
  };
}

function doubtful(words: string): Doubt {
  return { reason: 'path', words };
}
