import {
  DASH_TWINS,
  LATIN_TWINS,
  OPENING_QUOTE_TWINS,
  OTHER_QUOTE_TWINS,
  OTHER_LETTER_TWINS,
  PIPE_TWINS,
  REDIRECTION_TWINS,
  SIGN_TWINS,
  TWINS_AMONG_ASCII,
} from './twins';

/** Scripts with letters that look like Latin ones. A word that mixes them, with Latin or each other, is suspicious. */
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
const LATIN = /\p{Script=Latin}/u;
const WORD_CHARACTER = /[\p{L}\p{M}\p{N}]/u;
const LETTER_TWIN = new RegExp(`[${OTHER_LETTER_TWINS}]`, 'u');

/** Raised and lowered forms, which are visibly different; other compatibility forms of ASCII count as twins. */
const RAISED_OR_LOWERED = /[²³¹ªº\u2070-\u209c\u1d2c-\u1d6a\u02b0-\u02b8]/u;
const OTHER_TWINS = new RegExp(`[${LATIN_TWINS}${SIGN_TWINS}]`, 'u');

/** Signs that deceive only in certain places, depending on the characters around them. */
const IN_PLACE = new RegExp(
  `[${DASH_TWINS}${OPENING_QUOTE_TWINS}${OTHER_QUOTE_TWINS}${REDIRECTION_TWINS}${TWINS_AMONG_ASCII}${PIPE_TWINS}]`,
  'u',
);

/** Chinese and Japanese use fullwidth signs, which are normal among ideographs. */
const IDEOGRAPHIC = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
const WIDE_SIGN = /[\uff01-\uff65]/u;

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** The name of a script that has a number in `Letter.script`. */
export function nameOfScript(script: number): string {
  return TWIN_SCRIPTS[script - 1]?.[0] ?? (script === LATIN_SCRIPT ? 'Latin' : 'other script');
}

export const LATIN_SCRIPT = TWIN_SCRIPTS.length + 1;

/** Traits of a character beyond ASCII, as bits of one number. */
export const enum Trait {
  Known = 0x20,
  /** A letter, mark or digit. */
  Word = 0x40,
  /** A letter of another script that looks like a Latin one. */
  LetterTwin = 0x80,
  /** Looks like one ASCII character in any place. */
  Twin = 0x100,
  /** May look like one, depending on the characters around it. */
  InPlace = 0x200,
  Space = 0x400,
  Ideographic = 0x800,
  WideSign = 0x1000,
  RightToLeft = 0x2000,
}
/** The lowest bits hold the number of the script, 0 for one without twins. */
export const SCRIPT_BITS = 0x1f;

/** Cache of the traits: a table lookup costs a hundredth of a regular expression. */
const traits = new Uint16Array(0x110000);

export function traitsOf(codePoint: number): number {
  const known = traits[codePoint] ?? 0;
  if (known !== 0) return known;
  const character = String.fromCodePoint(codePoint);
  const index = TWIN_SCRIPTS.findIndex(([, pattern]) => pattern.test(character));
  const script = index >= 0 ? index + 1 : LATIN.test(character) ? LATIN_SCRIPT : 0;
  const found =
    Trait.Known |
    script |
    (WORD_CHARACTER.test(character) ? Trait.Word : 0) |
    (LETTER_TWIN.test(character) ? Trait.LetterTwin : 0) |
    (isTwin(character) ? Trait.Twin : 0) |
    (IN_PLACE.test(character) ? Trait.InPlace : 0) |
    (/\s/.test(character) ? Trait.Space : 0) |
    (IDEOGRAPHIC.test(character) ? Trait.Ideographic : 0) |
    (WIDE_SIGN.test(character) ? Trait.WideSign : 0) |
    (RIGHT_TO_LEFT.test(character) ? Trait.RightToLeft : 0);
  traits[codePoint] = found;
  return found;
}

/** Tests one character, which is always fast; normalizing a word with many marks takes quadratic time. */
function isTwin(character: string): boolean {
  if (/^\p{ASCII}$/u.test(character) || RAISED_OR_LOWERED.test(character)) return false;
  return OTHER_TWINS.test(character) || /^[!-~]$/.test(character.normalize('NFKC'));
}
