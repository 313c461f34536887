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
    'Hebrew',
    'Arabic',
  ].map((name) => [name.replace('_', ' '), new RegExp(`\\p{Script=${name}}`, 'u')] as const),
  ['non-ASCII digit', /(?![0-9])\p{Nd}/u],
];

/** A word of nothing but these is read as a Latin one (from Unicode's confusables.txt, UTS 39). */
const ALL_TWINS = /^[асԁеһіјӏорԛѕуԝхѵАВЕІЈКМНОРԚЅТУԜХҮαινορυΑΒΕΖΗΙΚΜΝΟΡΤΥΧօհոսց]{2,}$/u;

/** Compatibility forms of one ASCII character: fullwidth, mathematical, letter-like. Raised and lowered ones are seen. */
const RAISED_OR_LOWERED = /[²³¹ªº\u2070-\u209c\u1d2c-\u1d6a\u02b0-\u02b8]/u;

/** Latin letters of phonetics, and signs, that pass for ASCII and are no compatibility forms. */
const OTHER_TWINS = /[ɑɡɩ⁄∕⧸∶꞉ǀ∣∗∼]/u;

/** A dash where an option begins. */
const DASHED_OPTION = /(?<![^\s])[\u2010-\u2015\u2212]+(?=[\p{L}\p{N}])[^\s]*/gu;

/**
 * Words with letters that pass for others: scripts mixed within a word, whole words of Latin twins, fullwidth and
 * mathematical forms of ASCII, dashes that pass for an option's hyphen, signs that pass for a slash, colon or pipe.
 * Ordinary words of any one script are left alone.
 */
export function lookAlikes(text: string): LookAlike[] {
  if (ASCII_ONLY.test(text)) return [];
  const found = new Map<string, Guilty>();
  const add = (word: string, guilty: Guilty): void => {
    if (guilty.length > 0) found.set(word, guilty);
  };
  for (const [word] of text.matchAll(WORD)) if (!ASCII_ONLY.test(word)) add(word, guiltyLetters(word));
  for (const [chunk] of text.matchAll(/\S+/gu)) if (!ASCII_ONLY.test(chunk)) add(chunk, guiltySigns(chunk));
  for (const [option] of text.matchAll(DASHED_OPTION)) add(option, [[option, 'dash']]);
  return [...found].map(([word, guilty]) => {
    const characters = new Map(guilty.map(([char, script]) => [codePoint(char), script]));
    return { word, characters: [...characters].map(([point, script]) => ({ codePoint: point, script })) };
  });
}

/** Right-to-left letters reorder what is shown around them without any hidden character. */
export function hasRightToLeftLetters(text: string): boolean {
  return /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u.test(text);
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
  return Array.from(chunk).flatMap((char) =>
    !/[\p{L}\p{M}\p{N}]/u.test(char) && isTwin(char) ? [[char, 'sign'] as const] : [],
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
