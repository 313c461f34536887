import type { Rule } from '../document/policy-schema';
import { findCarrier, nameOf, STATEFUL_WORDS, WRITERS } from '../shell/carriers';
import { lintCommandMatcher } from '../shell/lint-command-matcher';
import { parseCommand, type SimpleCommand } from '../shell/parse-command';
import type { PolicyRequest } from '../evaluation/policy-request';
import { askers, groupBy, MIN_USES, slug, type Candidate } from './candidate';

/** More distinct flags than this are not a habit. */
const MAX_FLAGS = 30;
/** The most frequent commands for which the very words are suggested where their shape would allow too much. */
const MAX_IDENTICAL = 30;

interface Use {
  /** The command word, with its subcommand. */
  readonly name: string;
  readonly words: readonly string[];
  readonly request: PolicyRequest;
}

/** The simple commands of a line; none of a line that is not understood word for word. */
export function commandsOf(text: unknown): readonly SimpleCommand[] {
  const command = typeof text === 'string' ? parseCommand(text) : null;
  if (command === null || command.doubt !== null) return [];
  return command.statements.flat().flatMap(({ commands }) => commands);
}

/**
 * Rules for the commands that people approved again and again: the words that all uses begin with, and the flags that were
 * seen. Never a command that runs others or writes where its operands say.
 */
export function findCommandCandidates(
  tool: string,
  lines: readonly { readonly text: unknown; readonly request: PolicyRequest }[],
): Candidate[] {
  const uses = lines.flatMap(({ text, request }) =>
    commandsOf(text).flatMap(({ words, outputs }): Use[] => {
      const [name, subcommand = '', action = ''] = words;
      if (outputs.length > 0 || isUnfit(name, subcommand)) return [];
      if (!hasSubcommands(name)) return [{ name, words, request }];
      // `git stash list` and `git stash drop` have nothing in common.
      return [
        { name: `${name} ${subcommand} ${/^[a-z]+$/.test(action) ? action : ''}`.trimEnd(), words, request },
      ];
    }),
  );
  const sameShape = [...groupBy(uses, ({ name }) => name)];
  const identical = [...groupBy(uses, ({ words }) => words.join(' '))]
    .filter(([, { length }]) => length >= MIN_USES)
    .toSorted(([, a], [, b]) => b.length - a.length)
    .slice(0, MAX_IDENTICAL);
  return [...sameShape, ...identical].flatMap(([key, group]) => {
    const rule = ruleFor(tool, key, group);
    return rule === null ? [] : [{ rule, tools: new Set([tool]), command: group[0]?.words[0] ?? null }];
  });
}

/** True for a command of which a rule must say the subcommand. */
function hasSubcommands(name: string): boolean {
  return findCarrier(name, []) !== null && findCarrier(name, ['']) === null;
}

function isUnfit(name: string, subcommand: string): boolean {
  const base = nameOf(name);
  if (name === 'cd' || STATEFUL_WORDS.has(name) || WRITERS.has(base)) return true;
  return findCarrier(name, [subcommand]) !== null || (hasSubcommands(name) && subcommand.startsWith('-'));
}

function ruleFor(tool: string, key: string, uses: readonly Use[]): Rule | null {
  const argv = commonBeginning(uses.map(({ words }) => words));
  if (argv.length === 0) return null;
  const rests = uses.map(({ words }) => words.slice(argv.length));
  const flags = flagsIn(rests);
  const hasOperands = rests.some((rest) => operandsIn(rest, flags).length > 0);
  if (flags.length > MAX_FLAGS) return null;
  const command = {
    argv,
    ...(flags.length > 0 && { flags }),
    ...(hasOperands && { operands: 'path' as const }),
  };
  if (lintCommandMatcher(command, 'allow').length > 0) return null;
  const who = askers(uses.map(({ request }) => request));
  if (who === null) return null;
  return { id: `suggested-${slug(key)}`, decision: 'allow', match: { tool, ...who, command } };
}

/** The words that all begin with, up to the first flag that not all have. */
function commonBeginning(commands: readonly (readonly string[])[]): string[] {
  const [first = [], ...others] = commands;
  const end = first.findIndex((word, at) => others.some((words) => words[at] !== word));
  return end === -1 ? [...first] : first.slice(0, end);
}

/** Flags as a matcher writes them; one whose value is not a path takes any value, as `-m` of a commit does. */
function flagsIn(rests: readonly (readonly string[])[]): string[] {
  const seen = rests.flatMap((rest) =>
    rest.flatMap((word, at) => {
      if (!word.startsWith('-')) return [];
      return [{ flag: /^-\d+$/.test(word) ? '-:int' : word, value: rest[at + 1] }];
    }),
  );
  return [...groupBy(seen, ({ flag }) => flag)].map(([flag, uses]) => {
    const values = uses.map(({ value }) => value);
    const takesValue = values.every((value) => value !== undefined && !value.startsWith('-'));
    const isOpen =
      takesValue && /^--?[A-Za-z][\w-]*$/.test(flag) && values.some((value) => !isPathLike(value ?? ''));
    return isOpen ? `${flag}:any` : flag;
  });
}

function operandsIn(rest: readonly string[], flags: readonly string[]): string[] {
  return rest.filter((word, at) => !word.startsWith('-') && !flags.includes(`${rest[at - 1]}:any`));
}

function isPathLike(word: string): boolean {
  return /^[\w./,-]+$/.test(word);
}
