import { readFlag, type CommandMatcher, type Flag } from './command-matcher';
import { decodeText } from './decode-text';
import type { ParsedCommand } from './parse-command';
import { indexTokens, Vocabulary, type IndexedTexts, type TokenIndex } from './token-index';

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

/** The texts of a request in which commands are searched. */
export type CommandTexts = Omit<IndexedTexts, 'members'> & {
  readonly commands: readonly ParsedCommand[];
  /** Texts that are searched as they are written. */
  readonly others: readonly string[];
};

/**
 * Indexes the words of commands. Of one that is understood, each simple command has its own words; words are also looked
 * into, so that `bash -c 'kubectl get'` and `/usr/bin/kubectl` mention kubectl. Of a text that is in doubt, the whole is
 * searched, as written and without its quotes.
 */
export function indexCommands(
  { commands, others, ...texts }: CommandTexts,
  vocabulary: Vocabulary,
): TokenIndex {
  return indexTokens(
    { ...texts, members: [...commands.map(textsOf), ...others.map((text) => [text])] },
    vocabulary,
  );
}

export interface FoundMention {
  readonly tokens: readonly string[];
  /** True if the words are divided among members, where they may mean nothing. */
  readonly isScattered: boolean;
}

/**
 * The words with which a command matches; null if none does. A command has the tokens of a sequence in this order, with or
 * without others between them.
 */
export function findMention(
  index: TokenIndex,
  { sequences, argv, flags }: Mention,
  spend: (steps: number) => void = () => undefined,
): FoundMention | null {
  const all = argv === null || flags.length > 0 ? sequences : [...sequences, argv];
  for (const sequence of all) {
    const found = index.find(sequence, spend);
    if (found !== null) return { tokens: found.tokens, isScattered: false };
  }
  const findFlag = (written: readonly string[]): string | undefined => {
    spend(Math.ceil((written.length * flags.length) / 2));
    return written.find((word) => flags.some((expected) => isFlag(expected, word)));
  };
  const flagged = argv !== null && flags.length > 0 ? argv : null;
  let flag: string | undefined;
  const found =
    flagged && index.find(flagged, spend, (command) => (flag = findFlag(command.flags())) !== undefined);
  if (found && flag !== undefined) return { tokens: [...found.tokens, flag], isScattered: false };

  for (const sequence of all) {
    const scattered = index.findScattered(sequence);
    if (scattered?.isDivided) return { tokens: scattered.tokens, isScattered: true };
  }
  const scattered = flagged && index.findScattered(flagged);
  const beside = scattered ? findFlag(scattered.flags(spend)) : undefined;
  return scattered && beside !== undefined
    ? { tokens: [...scattered.tokens, beside], isScattered: true }
    : null;
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

/** A text as it is written, and as it may read without its quotes and backslashes. */
export function readings(text: string): string[] {
  if (!/["'\\]|[^\x20-\x7e\n]/.test(text)) return [text];
  const plain = decodeText(text, false);
  return /\\[xu0-7]/i.test(text) ? [text, plain, decodeText(text, true)] : [text, plain];
}
