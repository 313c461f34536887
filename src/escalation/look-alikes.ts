import {
  DASH_TWINS,
  LATIN_TWINS,
  OPENING_QUOTE_TWINS,
  OTHER_LETTER_TWINS,
  PIPE_TWINS,
  REDIRECTION_TWINS,
  SIGN_TWINS,
  TWINS_AMONG_ASCII,
} from './twins';

/** A word that may not be what it looks like, and which of its characters are to blame. */
export interface LookAlike {
  readonly word: string;
  /** Without repetition, in order. */
  readonly characters: readonly { readonly codePoint: string; readonly script: string }[];
}

type Guilty = readonly (readonly [char: string, script: string])[];

const WORD = /[\p{L}\p{M}\p{N}]+/gu;
const LATIN = /\p{Script=Latin}/u;
const ASCII_ONLY = /^\p{ASCII}*$/u;

/** Scripts with letters that pass for Latin ones. Mixed with Latin, or with each other, in one word they stand out. */
const TWIN_SCRIPTS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ...[
    'Cyrillic',
    'Greek',
    'Armenian',
    'Georgian',
    'Cherokee',
    'Coptic',
    'Lisu',
    'Osage',
    'Deseret',
    'Tifinagh',
    'Canadian_Aboriginal',
    'Old_Italic',
    'Gothic',
    'Carian',
    'Lycian',
    'Elbasan',
    'Miao',
    'Runic',
    'Warang_Citi',
    'Hebrew',
    'Arabic',
  ].map((name) => [name.replace('_', ' '), new RegExp(`\\p{Script=${name}}`, 'u')] as const),
  ['non-ASCII digit', /(?![0-9])\p{Nd}/u],
];

const ALL_TWINS = new RegExp(`^[${OTHER_LETTER_TWINS}]+$`, 'u');

/** Words as short as this are common in Russian and Greek: among their like they deceive nobody. */
const MAX_NATIVE_LETTERS = 2;
/** How far from a word its neighbours are looked for. */
const NEIGHBOURHOOD = 60;
const WORD_BEFORE = /(?:^|(?:^|[\s(«„“"'])([\p{L}\p{M}]+)[,.:;!?»”")…']*\s+|\s)[(«„“"']*$/u;
const WORD_AFTER = /^[,.:;!?»”")…']*(?:$|\s+[(«„“"']*([\p{L}\p{M}]*))/u;

/** Compatibility forms of one ASCII character: fullwidth, mathematical, letter-like. Raised and lowered ones are seen. */
const RAISED_OR_LOWERED = /[²³¹ªº\u2070-\u209c\u1d2c-\u1d6a\u02b0-\u02b8]/u;

const OTHER_TWINS = new RegExp(`[${LATIN_TWINS}${SIGN_TWINS}]`, 'u');

/**
 * Signs that prose is full of, and only where a shell would act on the ASCII one: a warning for every quotation,
 * list and tree of files would soon be read by nobody.
 */
const IN_PLACE: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['dash', new RegExp(`(?<!\\S)[${DASH_TWINS}]+(?=[\\p{L}\\p{N}])\\S*`, 'gu')],
  // What seems to be quoted, and would run.
  [
    'quote',
    new RegExp(`(?<![^\\s=(])[${OPENING_QUOTE_TWINS}](?=[^’”${OPENING_QUOTE_TWINS}]*[;|&<>$\`])`, 'gu'),
  ],
  [
    'redirection',
    new RegExp(
      `(?<=[!-~][ \\t]*)[${REDIRECTION_TWINS}](?=[ \\t]*(?:[/~.$&]|[A-Za-z0-9_-]*[./][A-Za-z0-9_]))`,
      'gu',
    ),
  ],
  [
    'sign',
    new RegExp(
      `(?<![^\\s!-~][ \\t]*)(?:(?<=[!-~][ \\t]*)[${TWINS_AMONG_ASCII}]+|[${TWINS_AMONG_ASCII}]+(?=[ \\t]*[!-~]))(?![ \\t]*[^\\s!-~])`,
      'gu',
    ),
  ],
  ['pipe', new RegExp(`(?<=[!-~][ \\t]*)[${PIPE_TWINS}](?=[ \\t]*[!-~])`, 'gu')],
];

/** Chinese and Japanese have signs of full width; among ideographs they are in their place. */
const IDEOGRAPHIC = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
const WIDE_SIGN = /[\uff01-\uff65]/u;

/** A line of a tree of files or of a table: no command begins so. */
const DRAWN = /^\s*[\u2500-\u257f]/u;

/**
 * Words with letters that pass for others: scripts mixed within a word, whole words of Latin twins, fullwidth and
 * mathematical forms of ASCII; and signs that pass for those a shell acts on, where it would. Ordinary words of any
 * one script are left alone.
 */
export function lookAlikes(text: string): LookAlike[] {
  if (ASCII_ONLY.test(text)) return [];
  const found = new Map<string, Guilty>();
  const add = (word: string, guilty: Guilty): void => {
    if (guilty.length > 0) found.set(word, guilty);
  };
  for (const { 0: word, index } of text.matchAll(WORD))
    if (!ASCII_ONLY.test(word) && !isNative(text, word, index)) add(word, guiltyLetters(word));
  for (const [chunk] of text.matchAll(/\S+/gu)) if (!ASCII_ONLY.test(chunk)) add(chunk, guiltySigns(chunk));
  for (const line of text.split('\n')) {
    if (ASCII_ONLY.test(line) || DRAWN.test(line)) continue;
    for (const [name, pattern] of IN_PLACE)
      for (const [sign] of line.matchAll(pattern)) add(sign, [[sign, name]]);
  }
  return [...found].map(([word, guilty]) => {
    const characters = new Map(guilty.map(([char, script]) => [codePoint(char), script]));
    return { word, characters: [...characters].map(([point, script]) => ({ codePoint: point, script })) };
  });
}

/** Right-to-left letters reorder what is shown around them without any hidden character. */
export function hasRightToLeftLetters(text: string): boolean {
  return /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u.test(text);
}

/** A short word that stands by itself beside one of its own script that no Latin word looks like. */
function isNative(text: string, word: string, at: number): boolean {
  if (word.length > MAX_NATIVE_LETTERS) return false;
  const script = TWIN_SCRIPTS.find(([, pattern]) => pattern.test(word))?.[1];
  const end = at + word.length;
  const before = WORD_BEFORE.exec(text.slice(Math.max(0, at - NEIGHBOURHOOD), at));
  const after = WORD_AFTER.exec(text.slice(end, end + NEIGHBOURHOOD));
  if (!script || !before || !after) return false;
  return [before[1], after[1]].some(
    (each) => each !== undefined && script.test(each) && !LATIN.test(each) && !ALL_TWINS.test(each),
  );
}

function guiltyLetters(word: string): Guilty {
  const present = TWIN_SCRIPTS.filter(([, pattern]) => pattern.test(word));
  const mixed = present.length + (LATIN.test(word) ? 1 : 0) > 1;
  const foreign = mixed || ALL_TWINS.test(word) ? present : [];
  if (foreign.length === 0 && !mayHoldTwins(word)) return [];
  return Array.from(word).flatMap((char) => {
    const script = foreign.find(([, pattern]) => pattern.test(char))?.[0];
    if (script !== undefined) return [[char, script] as const];
    return isTwin(char) ? [[char, 'styled Latin'] as const] : [];
  });
}

function guiltySigns(chunk: string): Guilty {
  if (!mayHoldTwins(chunk)) return [];
  const ideographic = IDEOGRAPHIC.test(chunk);
  return Array.from(chunk).flatMap((char) =>
    !/[\p{L}\p{M}\p{N}]/u.test(char) && isTwin(char) && !(ideographic && WIDE_SIGN.test(char))
      ? [[char, 'sign'] as const]
      : [],
  );
}

/** A cheap look at the whole: a character with a compatibility form changes under NFKC. */
function mayHoldTwins(text: string): boolean {
  return OTHER_TWINS.test(text) || text.normalize('NFKC') !== text;
}

function isTwin(char: string): boolean {
  if (ASCII_ONLY.test(char) || RAISED_OR_LOWERED.test(char)) return false;
  return OTHER_TWINS.test(char) || /^[!-~]$/.test(char.normalize('NFKC'));
}

function codePoint(char: string): string {
  return `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}
