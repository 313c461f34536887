import { readFlag, type CommandMatcher, type Flag } from './command-matcher';
import { decodeText } from './decode-text';
import type { ParsedCommand } from './parse-command';
import { indexTokens, Vocabulary, type TokenIndex } from './token-index';

/** The words by which a rule that says deny or ask finds a command. */
export interface Mention {
  /** For each place of a sequence, the tokens that may stand there. */
  readonly sequences: readonly (readonly (readonly string[])[])[];
  readonly argv: readonly (readonly string[])[] | null;
  readonly flags: readonly Flag[];
}

export function compileMention({ mentions = [], argv, flags = [] }: CommandMatcher): Mention {
  return {
    sequences: mentions.map((sequence) => sequence.map(withAbbreviations)),
    argv: argv?.map((entry) => (typeof entry === 'string' ? [entry] : entry.any)) ?? null,
    flags: flags.map(readFlag),
  };
}

/** A flag of letters that programs abbreviate, with its abbreviations from one letter on; another token alone. */
function withAbbreviations(token: string): readonly string[] {
  if (!/^--[A-Za-z][A-Za-z-]{1,40}$/.test(token)) return [token];
  return Array.from({ length: token.length - 2 }, (_, i) => token.slice(0, token.length - i));
}

/** The words of which an index must know the places. */
export function vocabularyOf(mentions: readonly Mention[]): Vocabulary {
  return new Vocabulary(mentions.flatMap(({ sequences, argv }) => [...sequences, argv ?? []].flat(2)));
}

/**
 * Indexes the words of commands. Of one that is understood, each simple command has its own words; words are also looked
 * into, so that `bash -c 'kubectl get'` and `/usr/bin/kubectl` mention kubectl. Of a text that is in doubt, the whole is
 * searched, as written and without its quotes.
 */
export function indexCommands(commands: readonly ParsedCommand[], vocabulary: Vocabulary): TokenIndex {
  return indexTokens(commands.flatMap(textsOf), vocabulary);
}

/**
 * The words with which a command matches; null if none does. A command has the tokens of a sequence in this order, with or
 * without others between them.
 */
export function findMention(
  index: TokenIndex,
  { sequences, argv, flags }: Mention,
  spend: (steps: number) => void = () => undefined,
): readonly string[] | null {
  for (const sequence of sequences) {
    const found = index.find(sequence, spend);
    if (found !== null) return found.tokens;
  }
  const found = argv === null ? null : index.find(argv, spend);
  if (found === null || flags.length === 0) return found?.tokens ?? null;
  const written = found.flags();
  spend(Math.ceil((written.length * flags.length) / 2));
  const flag = written.find((word) => flags.some((expected) => isFlag(expected, word)));
  return flag === undefined ? null : [...found.tokens, flag];
}

/** True for the flag, an abbreviation of it, one with its value, and a cluster of letters that has it. */
function isFlag({ word }: Flag, token: string): boolean {
  if (token === word || (word.length > 1 && word.endsWith('=') && token.startsWith(word))) return true;
  const [name = token] = token.split('=');
  if (/^-[A-Za-z]$/.test(word)) return /^-[A-Za-z]+$/.test(name) && name.includes(word[1] ?? '');
  return name.length > 2 && (name === word || (name.startsWith('--') && word.startsWith(name)));
}

/** The texts of which one must have all tokens of a sequence. */
function textsOf(command: ParsedCommand): readonly string[] {
  if (command.doubt !== null) return readings(command.text);
  return command.statements
    .flat()
    .flatMap(({ commands }) => commands)
    .map(({ words, outputs }) => [...words, ...outputs.map(({ path }) => path)].join('\n'));
}

function readings(text: string): string[] {
  if (!/["'\\]|[^\x20-\x7e\n]/.test(text)) return [text];
  const plain = decodeText(text, false);
  return /\\[xu0-7]/i.test(text) ? [text, plain, decodeText(text, true)] : [text, plain];
}
