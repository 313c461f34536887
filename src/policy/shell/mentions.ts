import { readFlag, type CommandMatcher, type Flag } from './command-matcher';
import type { ParsedCommand } from './parse-command';
import { indexTokens, type TokenIndex } from './token-index';

/**
 * The words with which a command matches a rule that says deny or ask; null if it does not match.
 *
 * A text that is understood matches if one of its simple commands has the tokens in this order, with or without others
 * between them. Words are also looked into, so that `bash -c 'kubectl get'` and `/usr/bin/kubectl` mention kubectl. Of a text
 * that is in doubt, the whole is searched, as written and without its quotes.
 */
export function mentions(command: ParsedCommand, matcher: CommandMatcher): readonly string[] | null {
  const index = indexOf(command);
  const { sequences, argv, flags } = compile(matcher);
  for (const sequence of sequences) {
    const found = index.find(sequence);
    if (found !== null) return found.tokens;
  }
  const found = argv === null ? null : index.find(argv);
  if (found === null || flags.length === 0) return found?.tokens ?? null;
  const flag = found.after().find((token) => flags.some((expected) => isFlag(expected, token)));
  return flag === undefined ? null : [...found.tokens, flag];
}

/** True for the flag, an abbreviation of it, one with its value, and a cluster of letters that has it. */
function isFlag({ word }: Flag, token: string): boolean {
  if (token === word || (word.length > 1 && word.endsWith('=') && token.startsWith(word))) return true;
  const [name = token] = token.split('=');
  if (/^-[A-Za-z]$/.test(word)) return /^-[A-Za-z]+$/.test(name) && name.includes(word[1] ?? '');
  return name.length > 2 && (name === word || (name.startsWith('--') && word.startsWith(name)));
}

interface Compiled {
  /** For each place of a sequence, the tokens that may stand there. */
  readonly sequences: readonly (readonly (readonly string[])[])[];
  readonly argv: readonly (readonly string[])[] | null;
  readonly flags: readonly Flag[];
}

const compiled = new WeakMap<CommandMatcher, Compiled>();

function compile(matcher: CommandMatcher): Compiled {
  const known = compiled.get(matcher);
  if (known !== undefined) return known;
  const made = {
    sequences: (matcher.mentions ?? []).map((sequence) => sequence.map((token) => [token])),
    argv: matcher.argv?.map((entry) => (typeof entry === 'string' ? [entry] : entry.any)) ?? null,
    flags: (matcher.flags ?? []).map(readFlag),
  };
  compiled.set(matcher, made);
  return made;
}

const indexes = new WeakMap<ParsedCommand, TokenIndex>();

function indexOf(command: ParsedCommand): TokenIndex {
  const index = indexes.get(command) ?? indexTokens(partsOf(command));
  indexes.set(command, index);
  return index;
}

/** The texts of which one must have all tokens of a sequence. */
function partsOf(command: ParsedCommand): readonly (readonly string[])[] {
  if (command.doubt !== null) return readings(command.text).map((text) => [text]);
  return command.statements
    .flat()
    .flatMap(({ commands }) => commands)
    .map(({ words, outputs }) => [...words, ...outputs.map(({ path }) => path)]);
}

const ESCAPE = /\\(?:x(?<hex>[0-9a-f]{1,2})|u(?<unicode>[0-9a-f]{1,4})|(?<octal>[0-7]{3}))/gi;

/** A text as written, and as it may read when its quotes, escapes and continued lines are gone. */
function readings(text: string): string[] {
  if (!/["'\\]|[^\x20-\x7e\n]/.test(text)) return [text];
  const decoded = text
    .replaceAll(/\\\r?\n/g, '')
    .replaceAll(ESCAPE, (_, hex?: string, unicode?: string, octal?: string) =>
      String.fromCharCode(octal === undefined ? parseInt(hex ?? unicode ?? '', 16) : parseInt(octal, 8)),
    )
    .replaceAll(/\$?["']|[\\\p{Default_Ignorable_Code_Point}\0]/gu, '')
    .replaceAll(/\p{Z}/gu, ' ');
  return [text, decoded];
}
