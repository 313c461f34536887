import { posix } from 'node:path';
import picomatch from 'picomatch';
import { readFlag, type CommandMatcher, type Flag, type OperandKind } from './command-matcher';
import type { Doubt, ParsedCommand, SimpleCommand, Step } from './parse-command';

/** Directories in which a text may find itself because of `cd`; more of them ask. */
const MAX_DIRECTORIES = 8;
/** Characters of a directory in which relative paths are resolved. The time is the product of the paths and this length. */
export const MAX_DIRECTORY = 512;
/** Characters of the paths that a proof may resolve, each with its directory. */
const MAX_RESOLVED = 256 * 1024;

/** An allow rule whose other matchers match. */
export interface Candidate {
  readonly rule: string;
  readonly matcher: CommandMatcher;
  /** True for a directory (absolute, normalised) in which the rule holds; null if the rule does not name one. */
  readonly cwd: ((directory: string) => boolean) | null;
}

export type Proof =
  | { readonly allowed: true; readonly rules: string[]; readonly tokens: string[] }
  | { readonly allowed: false; readonly doubt: Doubt | null };

/**
 * Proves that every simple command of a text is allowed by a candidate. Without a proof and without a doubt, the text is
 * understood, and no candidate allows a part of it.
 *
 * `cwd` is the directory in which the text begins; null, or a path that is not absolute, is unknown.
 */
export function prove(command: ParsedCommand, candidates: readonly Candidate[], cwd: string | null): Proof {
  if (command.doubt !== null) return { allowed: false, doubt: command.doubt };
  const { start, runs, isWhole } = walk(command.statements, cwd);
  if (runs.reduce((sum, run) => sum + charactersOf(run), 0) > MAX_RESOLVED)
    return { allowed: false, doubt: 'too long' };
  const rules = new Set<string>();
  const tokens: string[] = [];
  for (const { simple, directories } of runs) {
    tokens.push(...simple.words);
    if (isChangeOfDirectory(simple)) continue;
    for (const directory of directories) {
      const found = candidates.find((candidate) => allows(candidate, simple, { start, directory }));
      if (found === undefined) return { allowed: false, doubt: null };
      rules.add(found.rule);
    }
  }
  if (!isWhole) return { allowed: false, doubt: 'change of directory' };
  return { allowed: true, rules: [...rules], tokens };
}

/** A simple command, and the directories in which it may run; null is an unknown one. */
export interface Run {
  readonly simple: SimpleCommand;
  readonly directories: readonly (string | null)[];
}

interface Walk {
  /** Directory in which the text begins. */
  readonly start: string | null;
  readonly runs: readonly Run[];
  /** False if the walk ends at a `cd` that it cannot follow. */
  readonly isWhole: boolean;
}

/** Lists the simple commands of a text that is understood. What allows and what catches reads the same list. */
export function walk(statements: readonly (readonly Step[])[], cwd: string | null): Walk {
  const start = cwd?.startsWith('/') ? posix.resolve(cwd) : null;
  const runs: Run[] = [];
  let directories: readonly (string | null)[] = [start];
  for (const steps of statements) {
    const change = followDirectories(steps, directories);
    if (change === 'doubt') return { start, runs, isWhole: false };
    for (const [index, { commands }] of steps.entries()) {
      const before = change.before[index] ?? [null];
      runs.push(...commands.map((simple) => ({ simple, directories: before })));
    }
    directories = change.after;
  }
  return { start, runs, isWhole: true };
}

/**
 * As {@link walk}, for what catches: behind a `cd` that it cannot follow, commands run in any of the directories so far.
 * `isOpen`: there may be others.
 */
export function walkWidely(
  statements: readonly (readonly Step[])[],
  cwd: string | null,
): { readonly runs: readonly Run[]; readonly isOpen: boolean } {
  const { start, runs, isWhole } = walk(statements, cwd);
  if (isWhole) return { runs, isOpen: false };
  const all: Run[] = [];
  let directories: readonly (string | null)[] = [start];
  let isOpen = false;
  for (const simple of statements.flat().flatMap(({ commands }) => commands)) {
    all.push({ simple, directories });
    if (!isChangeOfDirectory(simple)) continue;
    const targets = simple.words.slice(1).filter((word) => !/^-./.test(word));
    const [target = '~'] = targets;
    // The place before the last change is among those so far.
    if (target === '-' && directories.length > 1) continue;
    const added = /^[-~]/.test(target)
      ? [null]
      : directories.map((directory) => resolveIn(directory, target));
    const known = distinct([...directories, ...added.filter((directory) => directory !== null)]);
    isOpen ||= added.includes(null) || known.length > MAX_DIRECTORIES;
    directories = known.slice(0, MAX_DIRECTORIES);
  }
  return { runs: all, isOpen };
}

/** The characters of all words where each is resolved in every directory. */
function charactersOf({ simple: { words, outputs }, directories }: Run): number {
  return directories.reduce(
    (sum, directory) => sum + (words.length + outputs.length) * (directory?.length ?? 0),
    0,
  );
}

function isChangeOfDirectory({ words }: SimpleCommand): boolean {
  return words[0] === 'cd';
}

interface Change {
  /** For each step, the directories in which it may begin. */
  readonly before: readonly (readonly (string | null)[])[];
  readonly after: readonly (string | null)[];
}

/**
 * Follows `cd DIRECTORY &&` through a list. What follows `&&` runs in the new directory only; what follows `||`, and the next
 * statement, runs in any of the directories so far.
 */
function followDirectories(steps: readonly Step[], begin: readonly (string | null)[]): Change | 'doubt' {
  let now = begin;
  let seen = begin;
  const before: (readonly (string | null)[])[] = [];
  for (const [index, { operator, commands }] of steps.entries()) {
    if (operator === '||') now = seen;
    before.push(now);
    if (!commands.some(isChangeOfDirectory)) continue;
    const [change] = commands;
    const target = change?.words[1];
    const isPlain = commands.length === 1 && change?.words.length === 2 && change.outputs.length === 0;
    const isChained =
      steps[index + 1]?.operator === '&&' &&
      steps.slice(0, index + 1).every((step) => step.operator !== '||');
    if (!isPlain || !isChained || target === undefined || !/^[^-+~]/.test(target)) return 'doubt';
    now = distinct(now.map((directory) => resolveIn(directory, target)));
    if (now.some((directory) => directory === null || directory.length > MAX_DIRECTORY)) return 'doubt';
    seen = distinct([...seen, ...now]);
    if (seen.length > MAX_DIRECTORIES) return 'doubt';
  }
  return { before, after: seen };
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

/** Resolves a path as a command in the directory does; null if that is unknown or too long. */
export function resolveIn(directory: string | null, path: string): string | null {
  if (path.startsWith('/')) return posix.resolve(path);
  return directory === null || directory.length > MAX_DIRECTORY ? null : posix.resolve(directory, path);
}

interface Place {
  /** Directory in which the text begins. */
  readonly start: string | null;
  /** Directory in which the command runs. */
  readonly directory: string | null;
}

function allows({ matcher, cwd }: Candidate, { words, outputs }: SimpleCommand, place: Place): boolean {
  const { argv, operands = 'none' } = matcher;
  if (argv === undefined || matcher.mentions !== undefined || words.length < argv.length) return false;
  if (!argv.every((entry, at) => isOneOf(entry, words[at] ?? ''))) return false;
  if (cwd === null ? !isKnownToStartBelow(place) : place.directory === null || !cwd(place.directory))
    return false;
  const { flags, writes } = compile(matcher);
  return (
    followsArgv(words.slice(argv.length), flags, operands, place) &&
    outputs.every(({ path }) => writes !== null && isWritable(path, writes, place))
  );
}

function isOneOf(entry: string | { readonly any: readonly string[] }, word: string): boolean {
  return typeof entry === 'string' ? entry === word : entry.any.includes(word);
}

/** A rule that names no directory holds where the text begins, and below. */
function isKnownToStartBelow({ start, directory }: Place): boolean {
  return start === directory || isBelow(directory, start);
}

function isBelow(path: string | null, root: string | null): boolean {
  if (path === null || root === null || root === '/') return false;
  return path === root || path.startsWith(`${root}/`);
}

function followsArgv(
  rest: readonly string[],
  flags: readonly Flag[],
  operands: 'none' | 'path' | 'any',
  place: Place,
): boolean {
  let isAfterFlags = false;
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? '';
    const flag = isAfterFlags ? undefined : flags.find((known) => isFlag(known, word, place));
    if (flag?.open?.place === 'next word') {
      at += 1;
      if (!isValue(flag.open.kind, rest[at], place)) return false;
    } else if (flag === undefined) {
      if (operands === 'none' || !isValue(operands, word, place)) return false;
    }
    isAfterFlags ||= word === '--';
  }
  return true;
}

function isFlag({ word: expected, open }: Flag, word: string, place: Place): boolean {
  if (open?.place !== 'same word') return word === expected;
  return word.startsWith(expected) && isValue(open.kind, word.slice(expected.length), place);
}

/**
 * A value or an operand never begins with `-` or `+`, not even after `--`: programs that pass their operands on (`npm run`)
 * drop the `--`. A path has none of the characters with which programs write something else: `name=value`, `host:path`,
 * addresses, `@file`.
 */
function isValue(kind: OperandKind, word: string | undefined, place: Place): boolean {
  if (word === undefined || /^[-+]/.test(word)) return false;
  if (kind === 'any') return true;
  if (kind === 'int') return /^\d{1,15}$/.test(word);
  if (word === '' || /^[@!%&^]|[=:]/.test(word)) return false;
  const path = resolveIn(place.directory, word);
  return isBelow(path, place.directory) || isBelow(path, place.start);
}

function isWritable(path: string, writes: readonly WriteGlob[], { directory }: Place): boolean {
  const target = resolveIn(directory, path);
  // bash opens connections for names below /dev.
  if (target === null || target.startsWith('/dev/')) return false;
  return writes.some(({ isAbsolute, matches }) =>
    isAbsolute
      ? matches(target)
      : isBelow(target, directory) && matches(posix.relative(directory ?? '', target)),
  );
}

interface WriteGlob {
  readonly isAbsolute: boolean;
  readonly matches: (path: string) => boolean;
}

interface Compiled {
  readonly flags: readonly Flag[];
  readonly writes: readonly WriteGlob[] | null;
}

const compiled = new WeakMap<CommandMatcher, Compiled>();

function compile(matcher: CommandMatcher): Compiled {
  const known = compiled.get(matcher);
  if (known !== undefined) return known;
  const made = {
    flags: (matcher.flags ?? []).map(readFlag),
    writes: matcher.writes?.map(compileWrites) ?? null,
  };
  compiled.set(matcher, made);
  return made;
}

/** A glob that is not absolute is relative to the directory of the command, with or without `${cwd}/`. */
function compileWrites(glob: string): WriteGlob {
  return {
    isAbsolute: glob.startsWith('/'),
    matches: picomatch(glob.replace(/^(?:\$\{cwd\}|\.)\//, ''), { dot: true }),
  };
}
