/**
 * Characters that are invisible or change how others are displayed: control, format, private-use and unassigned
 * code points, lone surrogates, separators and spaces, default-ignorables (fillers, variation selectors, tags),
 * enclosing marks, and blanks that Unicode counts as letters or symbols.
 */
const UNSEEN_CHARACTER = /^[\u{16fe4}\p{C}\p{Z}\p{DI}\p{Me}\u2800\ufffc\u{13441}\u{13442}\u{1d159}]/u;
const MARK_CHARACTER = /^\p{M}/u;
const LETTER_OR_MARK = /^[\p{L}\p{M}]/u;
const INHERITED = /^\p{Script=Inherited}/u;

/** Scripts whose letters need marks that have no other spelling; marks of all others are always escaped. */
const SCRIPTS_WITH_MARKS = [
  'Arabic',
  'Bengali',
  'Devanagari',
  'Ethiopic',
  'Gujarati',
  'Gurmukhi',
  'Hebrew',
  'Kannada',
  'Khmer',
  'Lao',
  'Malayalam',
  'Myanmar',
  'Nko',
  'Oriya',
  'Sinhala',
  'Syriac',
  'Tamil',
  'Telugu',
  'Thaana',
  'Thai',
  'Tibetan',
].map((name) => new RegExp(`^\\p{Script=${name}}`, 'u'));
/** Vowel signs of Arabic that Unicode assigns to no script. None of them composes with a letter. */
const ARABIC_VOWEL_SIGN = /^[\u064b-\u0652\u0670]/u;
const ARABIC = 1;
/** Letters of the other scripts, whose marks are always escaped. */
const OTHER_LETTER = 100;
const INHERITED_MARK = 101;
const NO_SCRIPT = 255;

/** Kind of a character for a reader; one of these three. */
export const PLAIN = 1;
export const UNSEEN = 2;
export const MARK = 3;

/** Cache of the kinds: a table lookup costs a hundredth of a regular expression. */
const kinds = new Uint8Array(0x110000);
const scripts = new Uint8Array(0x110000);

export function kindOf(codePoint: number): number {
  const known = kinds[codePoint] ?? 0;
  if (known !== 0) return known;
  const character = String.fromCodePoint(codePoint);
  const kind = UNSEEN_CHARACTER.test(character) ? UNSEEN : MARK_CHARACTER.test(character) ? MARK : PLAIN;
  kinds[codePoint] = kind;
  return kind;
}

/** True if the mark belongs on the letter: both are of the same script, whose letters need marks. */
export function belongsOn(mark: number, letter: number): boolean {
  const script = scriptOf(letter);
  return script < OTHER_LETTER && scriptOf(mark) === script;
}

/** True for an accent on a letter that together may have another spelling as one character. */
export function isAccent(mark: number, letter: number): boolean {
  return scriptOf(mark) === INHERITED_MARK && scriptOf(letter) < INHERITED_MARK;
}

function scriptOf(codePoint: number): number {
  const known = scripts[codePoint] ?? 0;
  if (known !== 0) return known;
  const script = findScript(String.fromCodePoint(codePoint));
  scripts[codePoint] = script;
  return script;
}

function findScript(character: string): number {
  if (ARABIC_VOWEL_SIGN.test(character)) return ARABIC;
  if (!LETTER_OR_MARK.test(character)) return NO_SCRIPT;
  if (INHERITED.test(character)) return INHERITED_MARK;
  const index = SCRIPTS_WITH_MARKS.findIndex((pattern) => pattern.test(character));
  if (index >= 0) return index + 1;
  return MARK_CHARACTER.test(character) ? NO_SCRIPT : OTHER_LETTER;
}
