import { readFlag, type CommandMatcher, type Flag } from './command-matcher';
import type { ParsedCommand } from './parse-command';

/**
 * The words with which a command matches a rule that says deny or ask; null if it does not match.
 *
 * A text that is understood matches if one of its simple commands has the tokens in this order, with or without others
 * between them. Words are also looked into, so that `bash -c 'kubectl get'` and `/usr/bin/kubectl` mention kubectl. Of a text
 * that is in doubt, the whole is searched, as written and without its quotes.
 */
export function mentions(command: ParsedCommand, matcher: CommandMatcher): readonly string[] | null {
  const segments = segmentsOf(command);
  for (const segment of segments) {
    for (const sequence of matcher.mentions ?? []) if (segment.find(sequence) !== null) return sequence;
    const found = matcher.argv === undefined ? null : findCommand(segment, matcher.argv, matcher.flags ?? []);
    if (found !== null) return found;
  }
  return null;
}

function findCommand(
  segment: Segment,
  argv: NonNullable<CommandMatcher['argv']>,
  flags: readonly string[],
): readonly string[] | null {
  const found = segment.find(argv.map((entry) => (typeof entry === 'string' ? entry : entry.any)));
  if (found === null || flags.length === 0) return found;
  const known = flags.map(readFlag);
  const flag = segment
    .after(found.at(-1) ?? '')
    .find((token) => known.some((expected) => isFlag(expected, token)));
  return flag === undefined ? null : [...found, flag];
}

/** True for the flag, an abbreviation of it, one with its value, and a cluster of letters that has it. */
function isFlag({ word }: Flag, token: string): boolean {
  if (token === word || (word.length > 1 && word.endsWith('=') && token.startsWith(word))) return true;
  const [name = token] = token.split('=');
  if (/^-[A-Za-z]$/.test(word)) return /^-[A-Za-z]+$/.test(name) && name.includes(word[1] ?? '');
  return name.length > 2 && (name === word || (name.startsWith('--') && word.startsWith(name)));
}

type Token = string | readonly string[];

/** Tokens of a command in their order. A search costs the logarithm of their number for each token that is sought. */
class Segment {
  private readonly places = new Map<string, number[]>();

  constructor(private readonly tokens: readonly string[]) {
    for (const [at, token] of tokens.entries()) {
      const known = this.places.get(fold(token));
      if (known === undefined) this.places.set(fold(token), [at]);
      else known.push(at);
    }
  }

  /** The tokens that were found, as the rule writes them. */
  find(sequence: readonly Token[]): readonly string[] | null {
    const found: string[] = [];
    let at = -1;
    for (const token of sequence) {
      let nearest = Infinity;
      let word = '';
      for (const alternative of typeof token === 'string' ? [token] : token) {
        const place = this.firstAfter(alternative, at);
        if (place >= nearest) continue;
        nearest = place;
        word = alternative;
      }
      if (nearest === Infinity) return null;
      at = nearest;
      found.push(word);
    }
    return found;
  }

  /** The tokens after the first place of this one. */
  after(token: string): readonly string[] {
    return this.tokens.slice((this.places.get(fold(token))?.[0] ?? 0) + 1);
  }

  private firstAfter(token: string, at: number): number {
    const places = this.places.get(fold(token)) ?? [];
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((places[middle] ?? 0) > at) high = middle;
      else low = middle + 1;
    }
    return places[low] ?? Infinity;
  }
}

/** Commands are found on file systems that do not tell `KUBECTL` from `kubectl`; the letters of flags mean different things. */
function fold(token: string): string {
  return token.startsWith('-') ? token : token.toLowerCase();
}

const known = new WeakMap<ParsedCommand, readonly Segment[]>();

function segmentsOf(command: ParsedCommand): readonly Segment[] {
  const segments = known.get(command) ?? makeSegments(command);
  known.set(command, segments);
  return segments;
}

function makeSegments(command: ParsedCommand): readonly Segment[] {
  if (command.doubt !== null) return readings(command.text).map((text) => new Segment(tokensOf(text)));
  return command.statements
    .flat()
    .flatMap(({ commands }) => commands)
    .map(
      ({ words, outputs }) => new Segment([...words, ...outputs.map(({ path }) => path)].flatMap(tokensOf)),
    );
}

/** A text as written, and as it may read when its quotes, escapes and continued lines are gone. */
function readings(text: string): string[] {
  const decoded = text
    .replaceAll(/\\\r?\n/g, '')
    .replaceAll(
      /\\x([0-9a-f]{1,2})|\\u([0-9a-f]{1,4})|\\([0-7]{3})/gi,
      (_, hex?: string, unicode?: string, octal?: string) =>
        String.fromCharCode(octal === undefined ? parseInt(hex ?? unicode ?? '', 16) : parseInt(octal, 8)),
    )
    .replaceAll(/\$?["']|[\\\p{Default_Ignorable_Code_Point}\0]/gu, '');
  return [text, decoded];
}

/** A text without its white space, each part as a whole and in its pieces: `/usr/bin/kubectl` is also `kubectl`. */
function tokensOf(text: string): string[] {
  return text.split(/\s+/).flatMap((part) => {
    const pieces = part.split(/[^\p{L}\p{N}_.+@%~^-]+/u);
    return [part, ...pieces].filter((token, at) => token !== '' && (at === 0 || token !== part));
  });
}
