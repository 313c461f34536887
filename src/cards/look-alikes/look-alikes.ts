import { cutText } from '../../kernel/cut-text';
import { runAtOnce, type Steps } from '../../kernel/steps';
import { commandWords, type CommandWord } from './command-words';
import { isKnownCommand } from './known-commands';
import { LATIN_SCRIPT, nameOfScript, SCRIPT_BITS, Trait, traitsOf } from './letters';
import {
  DASH_TWINS,
  OPENING_QUOTE_TWINS,
  OTHER_QUOTE_TWINS,
  OTHER_LETTER_TWINS,
  PIPE_TWINS,
  REDIRECTION_TWINS,
  TWINS_AMONG_ASCII,
} from './twins';

/** A word that may not be what it looks like, with its suspicious characters. */
export interface LookAlike {
  /** The word; only its beginning if it is very long. */
  readonly word: string;
  /** Unique, in order; not all if there are very many. */
  readonly characters: readonly { readonly codePoint: string; readonly script: string }[];
}

/** Harm that a look-alike can do, the worst first. */
const enum Rank {
  /** A shell would run it as a command. */
  Command,
  /** It looks like a known command, or is in a path or an address. */
  Name,
  Other,
}
const RANKS = [Rank.Command, Rank.Name, Rank.Other] as const;

/** Code points, each with its script. */
type Guilty = ReadonlyMap<number, string>;

/** The longest part of a word to show. */
const MAX_WORD_LENGTH = 256;
const MAX_GUILTY = 16;
/** The number of characters to search for further suspicious ones, from the first one on. */
const MAX_SEARCHED = 256;
const UNITS_IN_A_STEP = 4 * 1024;

const ASCII_ONLY = /^\p{ASCII}*$/u;
const LATIN = /\p{Script=Latin}/u;
const ALL_TWINS = new RegExp(`^[${OTHER_LETTER_TWINS}]+$`, 'u');

/** Words this short are common in Russian and Greek, and harmless among words of the same script. */
const MAX_NATIVE_LETTERS = 2;
/** Distance from a word in which its neighbours are searched, in UTF-16 units. */
const NEIGHBOURHOOD = 60;
const WORD_BEFORE = /(?:^|(?:^|[\s(«„“"'])([\p{L}\p{M}]+)[,.:;!?»”")…']*\s+|\s)[(«„“"']*$/u;
const WORD_AFTER = /^[,.:;!?»”")…']*(?:$|\s+[(«„“"']*([\p{L}\p{M}]*))/u;

/** Contexts in which a shell might take the next word for a command, ignoring quotes; and the text after one. */
const BEFORE_COMMAND =
  /(?:^|[;|&(){}`"'!$\r\n]|(?:^|\s)(?:sudo|doas|env|xargs|exec|command|nohup|time|then|do|else))[ \t]*$/;
const AFTER_COMMAND = /^(?:$|[\s;|&<>)`"'])/;

/**
 * Signs that are common in prose, matched only where a shell would act on the ASCII one. Operators would soon ignore
 * warnings about every quotation, list and file tree.
 */
const IN_PLACE: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['dash', new RegExp(`(?<!\\S)[${DASH_TWINS}]+(?=[\\p{L}\\p{N}])\\S{0,${MAX_WORD_LENGTH}}`, 'uy')],
  // Text that seems to be quoted but would run.
  [
    'quote',
    new RegExp(`(?<![^\\s=(])[${OPENING_QUOTE_TWINS}](?=[^\\n’”${OPENING_QUOTE_TWINS}]*[;|&<>$\`])`, 'uy'),
  ],
  // Substitutions that a single quote would have prevented, wherever in the word they are.
  ['quote', new RegExp(`[${OPENING_QUOTE_TWINS}${OTHER_QUOTE_TWINS}](?=\\$[({]|\`)`, 'uy')],
  [
    'redirection',
    new RegExp(
      `(?<=[!-~][ \\t]*)[${REDIRECTION_TWINS}](?=[ \\t]*(?:[/~.$&]|[A-Za-z0-9_-]*[./][A-Za-z0-9_]))`,
      'uy',
    ),
  ],
  [
    'sign',
    new RegExp(
      `(?<![^\\s!-~][ \\t]*)(?:(?<=[!-~][ \\t]*)[${TWINS_AMONG_ASCII}]+|[${TWINS_AMONG_ASCII}]+(?=[ \\t]*[!-~]))(?![ \\t]*[^\\s!-~])`,
      'uy',
    ),
  ],
  ['pipe', new RegExp(`(?<=[!-~][ \\t]*)[${PIPE_TWINS}](?=[ \\t]*[!-~])`, 'uy')],
];

/** The beginning of a line of a file tree or a table: no command begins like this. */
const DRAWN = /[ \t]*[\u2500-\u257f]/y;

/**
 * Finds words with letters that look like others: scripts mixed within a word, whole words of Latin twins, fullwidth
 * and mathematical forms of ASCII. Also finds signs that look like those a shell acts on, where it would act. Ordinary
 * words of a single script are ignored, except as the name of a command. The most dangerous come first.
 */
export function lookAlikes(text: string): LookAlike[] {
  const search = new LookAlikeSearch(Infinity);
  runAtOnce(search.look(text, { isCommand: true }));
  return search.worst(Infinity);
}

/** Looks for look-alikes in any number of texts. */
export class LookAlikeSearch {
  /** True if there are right-to-left letters, which reorder the text around them without a hidden character. */
  hasRightToLeftLetters = false;
  private readonly ranks = new Map<string, Rank>();
  /** For each rank only its first words: there may be a hundred thousand more. */
  private readonly first = RANKS.map(() => new Map<string, Guilty>());

  /** @param most the number of words to keep for each rank */
  constructor(private readonly most: number) {}

  /** The number of words found, each counted once. */
  get count(): number {
    return this.ranks.size;
  }

  /** @param isCommand true if a shell may run the text */
  *look(text: string, { isCommand }: { readonly isCommand: boolean }): Steps<void> {
    if (ASCII_ONLY.test(text)) return;
    const commands = isCommand ? yield* commandWords(text) : [];
    const reader = new Reader(text, commands, this);
    while (reader.goOn(UNITS_IN_A_STEP)) yield;
    this.hasRightToLeftLetters ||= reader.hasRightToLeftLetters;
  }

  /** At most `most` words: the most dangerous first, then in the order of the texts. */
  worst(most: number): LookAlike[] {
    const found = this.first.flatMap((ofRank) => [...ofRank]).slice(0, most);
    return found.map(([word, guilty]) => ({
      word: cutText(word, MAX_WORD_LENGTH),
      characters: [...guilty].map(([point, script]) => ({
        codePoint: `U+${point.toString(16).toUpperCase().padStart(4, '0')}`,
        script,
      })),
    }));
  }

  has(word: string, rank: Rank): boolean {
    const known = this.ranks.get(word);
    return known !== undefined && known <= rank;
  }

  add(word: string, guilty: Guilty, rank: Rank): void {
    if (this.has(word, rank)) return;
    const known = this.ranks.get(word);
    if (known !== undefined) this.first[known]?.delete(word);
    this.ranks.set(word, rank);
    const ofRank = this.first[rank];
    if (ofRank && ofRank.size < this.most) ofRank.set(word, guilty);
  }
}

/** True if there are right-to-left letters, which reorder the text around them without a hidden character. */
export function hasRightToLeftLetters(text: string): boolean {
  const search = new LookAlikeSearch(0);
  runAtOnce(search.look(text, { isCommand: false }));
  return search.hasRightToLeftLetters;
}

/** Reads in a single pass: every decision needs a table lookup, or a bounded part of the text around. */
class Reader {
  hasRightToLeftLetters = false;
  private at = 0;
  private wordStart = -1;
  private wordTraits = 0;
  private wordScripts = 0;
  private wordIsAllTwins = true;
  /** Position of the first suspicious character of each kind in the word; -1 for none. */
  private firstForeign = -1;
  private firstTwin = -1;
  private firstBeyondAscii = -1;
  private chunkStart = -1;
  private chunkSigns: Map<number, string> | null = null;
  private chunkWideSigns: Map<number, string> | null = null;
  private chunkIsIdeographic = false;
  private lineIsDrawn: boolean;
  private nextCommand = 0;

  constructor(
    private readonly text: string,
    private readonly commands: readonly CommandWord[],
    private readonly found: LookAlikeSearch,
  ) {
    this.lineIsDrawn = this.isDrawn(0);
  }

  /** @returns true if there is more to read. */
  goOn(units: number): boolean {
    const { text } = this;
    const until = Math.min(text.length, this.at + units);
    while (this.at < until) {
      const unit = text.charCodeAt(this.at);
      if (unit < 0x80) this.readAscii(unit);
      else this.readOther(text.codePointAt(this.at) ?? unit);
    }
    if (this.at < text.length) return true;
    this.endWord();
    this.endChunk();
    return false;
  }

  private readAscii(unit: number): void {
    const letter = unit | 0x20;
    if ((letter >= 0x61 && letter <= 0x7a) || (unit >= 0x30 && unit <= 0x39)) {
      if (this.wordStart === -1) this.beginWord();
      // Digits belong to every script.
      if (unit > 0x39) this.wordScripts |= 1 << LATIN_SCRIPT;
      this.wordIsAllTwins = false;
    } else {
      this.endWord();
      if (unit <= 0x20 && (unit === 0x20 || (unit >= 0x09 && unit <= 0x0d))) this.endChunk();
    }
    if (this.chunkStart === -1 && unit > 0x20) this.chunkStart = this.at;
    this.at++;
    if (unit === 0x0a) this.lineIsDrawn = this.isDrawn(this.at);
  }

  private readOther(codePoint: number): void {
    const traits = traitsOf(codePoint);
    if (traits & Trait.Space) {
      this.endWord();
      this.endChunk();
      this.at++;
      return;
    }
    if (this.chunkStart === -1) this.chunkStart = this.at;
    if (traits & Trait.RightToLeft) this.hasRightToLeftLetters = true;
    if (traits & Trait.Ideographic) this.chunkIsIdeographic = true;
    if (traits & Trait.InPlace && !this.lineIsDrawn) this.readInPlace();
    if (traits & Trait.Word) {
      if (this.wordStart === -1) this.beginWord();
      this.wordTraits |= traits & ~SCRIPT_BITS;
      const script = traits & SCRIPT_BITS;
      this.wordScripts |= 1 << script;
      if (this.firstBeyondAscii === -1) this.firstBeyondAscii = this.at;
      if (this.firstForeign === -1 && script !== 0 && script !== LATIN_SCRIPT) this.firstForeign = this.at;
      if (this.firstTwin === -1 && traits & Trait.Twin) this.firstTwin = this.at;
      if (!(traits & Trait.LetterTwin)) this.wordIsAllTwins = false;
    } else {
      this.endWord();
      if (traits & Trait.Twin) {
        const signs =
          traits & Trait.WideSign ? (this.chunkWideSigns ??= new Map()) : (this.chunkSigns ??= new Map());
        if (signs.size < MAX_GUILTY) signs.set(codePoint, 'sign');
      }
    }
    this.at += codePoint > 0xffff ? 2 : 1;
  }

  private beginWord(): void {
    this.wordStart = this.at;
    this.wordTraits = 0;
    this.wordScripts = 0;
    this.wordIsAllTwins = true;
    this.firstForeign = -1;
    this.firstTwin = -1;
    this.firstBeyondAscii = -1;
  }

  private endWord(): void {
    if (this.wordStart === -1) return;
    const start = this.wordStart;
    this.wordStart = -1;
    if (this.wordTraits === 0) return;
    const isCommand = this.isInCommand(start);
    const deceives = isCommand || this.wordIsAllTwins || this.isMixed() || this.wordTraits & Trait.Twin;
    if (!deceives) return;
    const word = this.text.slice(start, this.at);
    const known = word.length <= MAX_WORD_LENGTH && isKnownCommand(word);
    const runs = isCommand || (known && this.mayRun(start));
    const rank = runs ? Rank.Command : known || this.isInPath(start) ? Rank.Name : Rank.Other;
    if (this.found.has(word, rank) || (!runs && isNative(this.text, word, start))) return;
    const guilty = isCommand ? this.guiltyOf(this.firstBeyondAscii, commandFault) : this.guiltyLetters();
    if (guilty.size > 0) this.found.add(word, guilty, rank);
  }

  private isMixed(): boolean {
    const scripts = this.wordScripts & ~1;
    return (scripts & (scripts - 1)) !== 0;
  }

  private guiltyLetters(): Guilty {
    const allForeign = this.isMixed() || this.wordIsAllTwins;
    const first = allForeign ? this.firstForeign : -1;
    const starts = [first, this.firstTwin].filter((at) => at !== -1);
    return this.guiltyOf(Math.min(...starts), (traits) => letterFault(traits, allForeign));
  }

  /** The suspicious characters of the word, from the first of them on. */
  private guiltyOf(first: number, faultOf: (traits: number) => string | null): Guilty {
    const guilty = new Map<number, string>();
    if (first < 0 || first >= this.at) return guilty;
    for (const character of cutText(this.text.slice(first, this.at), MAX_SEARCHED)) {
      if (guilty.size >= MAX_GUILTY) break;
      const point = character.codePointAt(0) ?? 0;
      const fault = point < 0x80 ? null : faultOf(traitsOf(point));
      if (fault !== null) guilty.set(point, fault);
    }
    return guilty;
  }

  private isInCommand(start: number): boolean {
    let next = this.commands[this.nextCommand];
    while (next && next.end <= start) next = this.commands[++this.nextCommand];
    return next !== undefined && next.start <= start;
  }

  private mayRun(start: number): boolean {
    const before = this.text.slice(Math.max(0, start - NEIGHBOURHOOD), start);
    return BEFORE_COMMAND.test(before) && AFTER_COMMAND.test(this.text.slice(this.at, this.at + 1));
  }

  private isInPath(start: number): boolean {
    const { text, at } = this;
    return (
      '/\\~'.includes(text.charAt(start - 1) || ' ') || /^(?:[/\\]|\.[A-Za-z])/.test(text.slice(at, at + 2))
    );
  }

  private readInPlace(): void {
    for (const [name, pattern] of IN_PLACE) {
      pattern.lastIndex = this.at;
      const sign = pattern.exec(this.text)?.[0];
      if (sign !== undefined) this.found.add(sign, new Map([[sign.codePointAt(0) ?? 0, name]]), Rank.Other);
    }
  }

  private endChunk(): void {
    if (this.chunkStart === -1) return;
    const signs = new Map([
      ...(this.chunkSigns ?? []),
      ...(this.chunkIsIdeographic ? [] : (this.chunkWideSigns ?? [])),
    ]);
    if (signs.size > 0) this.found.add(this.text.slice(this.chunkStart, this.at), signs, Rank.Other);
    this.chunkStart = -1;
    this.chunkSigns = null;
    this.chunkWideSigns = null;
    this.chunkIsIdeographic = false;
  }

  private isDrawn(lineStart: number): boolean {
    DRAWN.lastIndex = lineStart;
    return DRAWN.test(this.text);
  }
}

function letterFault(traits: number, allForeign: boolean): string | null {
  const script = traits & SCRIPT_BITS;
  if (allForeign && script !== 0 && script !== LATIN_SCRIPT) return nameOfScript(script);
  return traits & Trait.Twin ? 'styled Latin' : null;
}

/** Description of a character in a command's name: there, every character beyond ASCII is suspicious. */
function commandFault(traits: number): string {
  return traits & Trait.Twin ? 'styled Latin' : nameOfScript(traits & SCRIPT_BITS);
}

/** True for a short word beside a word of its own script that does not look like a Latin word. */
function isNative(text: string, word: string, at: number): boolean {
  if (word.length > MAX_NATIVE_LETTERS) return false;
  const script = traitsOf(word.codePointAt(0) ?? 0) & SCRIPT_BITS;
  const end = at + word.length;
  const before = WORD_BEFORE.exec(text.slice(Math.max(0, at - NEIGHBOURHOOD), at));
  const after = WORD_AFTER.exec(text.slice(end, end + NEIGHBOURHOOD));
  if (script === 0 || script === LATIN_SCRIPT || !before || !after) return false;
  return [before[1], after[1]].some(
    (each) =>
      each !== undefined &&
      Array.from(each).some((char) => (traitsOf(char.codePointAt(0) ?? 0) & SCRIPT_BITS) === script) &&
      !LATIN.test(each) &&
      !ALL_TWINS.test(each),
  );
}
