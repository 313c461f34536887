import { runAtOnce, type Steps } from '../../kernel/steps';
import { kindOf, MARK, UNSEEN } from './characters';
import { MarkFate, Marks } from './marks';

/** Shown in place of a tab in a block. Telegram itself would turn a tab into one space. */
const TAB_MARK = 0x21e5;

/** Longer runs could push the following text out of sight. */
const MAX_SPACES = 40;
const MAX_NEWLINES = 3;

/** From this many on, equal escapes in a row get a count instead of repetition. */
const COUNTED_FROM = 4;

/** Units in one step: a few milliseconds of work. */
const UNITS_IN_A_STEP = 8 * 1024;

/** JSON of only these is shown as it is; JSON escapes the others itself. */
const VISIBLE_ASCII = /^[\x20-\x7e]*$/;

const SPACE = 0x20;
const NEWLINE = 0x0a;
const TAB = 0x09;
const BACKSLASH = 0x5c;

type Form = 'block' | 'line' | 'json';

/** A text as it is shown, with its number of lines and of marks escaped because they would paint over others. */
export interface Visible {
  readonly shown: string;
  readonly lines: number;
  readonly paintingMarks: number;
}

/**
 * Several lines, for a code block: line ends stay, tabs become `⇥`, and invisible characters become `\u{hex}`, or
 * `\u{hex×n}` for a row of n. So do spaces at the end of a line, long rows of spaces and of empty lines, and combining
 * marks, except the first two on a letter of their own script.
 *
 * The result is exact: different texts never look alike. `\u{` in the result is always an escape, because a backslash
 * before `u{` in the text is itself shown as `\u{5c}`, and a `⇥` as `\u{21e5}`; every other backslash stays.
 */
export function visibleBlock(text: string): string {
  return runAtOnce(makeVisible(text, 'block')).shown;
}

/** One line, for a field: like `visibleBlock`, but also escapes line ends, tabs and spaces at either end. */
export function visibleLine(text: string): string {
  return runAtOnce(makeVisible(text, 'line')).shown;
}

/** A JSON text of the same value, with invisible characters as JSON escapes. */
export function visibleJson(json: string): string {
  return runAtOnce(makeVisible(json, 'json')).shown;
}

/** Makes a text visible in steps, in linear time for any text. */
export function* makeVisible(text: string, form: Form): Steps<Visible> {
  const scanner = new Scanner(text, form);
  const pieces: string[] = [];
  for (;;) {
    pieces.push(scanner.take(UNITS_IN_A_STEP));
    if (scanner.isAtEnd) break;
    yield;
  }
  const { lines, paintingMarks, isChanged } = scanner;
  return { shown: isChanged ? pieces.join('') : text, lines, paintingMarks };
}

class Scanner {
  lines = 1;
  paintingMarks = 0;
  /** False while every character is shown as it is. */
  isChanged = false;
  private readonly marks: Marks;
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly form: Form,
  ) {
    this.marks = new Marks(text);
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length;
  }

  /** Shows about `units` more units. */
  take(units: number): string {
    const { text } = this;
    const until = Math.min(text.length, this.at + units);
    if (this.form === 'json') {
      const next = text.slice(this.at, until);
      if (VISIBLE_ASCII.test(next)) {
        this.at = until;
        return next;
      }
    }
    // Join here, so that the final join of the pieces only copies them.
    const shown: string[] = [];
    let kept = this.at;
    while (this.at < until) {
      this.skipPlain(until);
      if (this.at >= until) break;
      const start = this.at;
      const otherwise = this.shownOtherwise(text.charCodeAt(start));
      if (otherwise === null) continue;
      this.isChanged = true;
      shown.push(text.slice(kept, start), otherwise);
      kept = this.at;
    }
    shown.push(text.slice(kept, this.at));
    return shown.join('');
  }

  /** Advances past what is shown as it is in every context; in a block also single spaces and line ends. */
  private skipPlain(until: number): void {
    const { text } = this;
    const isBlock = this.form === 'block';
    // Variables of the function, which cost half the time of members.
    let { at, lines } = this;
    for (; at < until; at++) {
      const unit = text.charCodeAt(at);
      if (unit > SPACE && unit < 0x7f && unit !== BACKSLASH) continue;
      if (!isBlock || (unit !== SPACE && unit !== NEWLINE)) break;
      const after = text.charCodeAt(at + 1);
      if (!(after > SPACE && after < 0x7f)) break;
      if (unit === NEWLINE) lines++;
    }
    this.at = at;
    this.lines = lines;
  }

  /** Advances past the current character or run. @returns its shown form; null if unchanged. */
  private shownOtherwise(unit: number): string | null {
    if (unit === SPACE) return this.spaces();
    if (unit === BACKSLASH) {
      const at = this.at++;
      return this.form !== 'json' && this.text.startsWith('u{', at + 1) ? '\\u{5c}' : null;
    }
    const codePoint = this.text.codePointAt(this.at) ?? unit;
    if (kindOf(codePoint) === MARK) return this.mark(codePoint);
    if (kindOf(codePoint) === UNSEEN) return this.unseen(codePoint);
    if (codePoint === TAB_MARK && this.form !== 'json') return this.escapes(codePoint, this.run(codePoint));
    this.at += codePoint > 0xffff ? 2 : 1;
    return null;
  }

  private spaces(): string | null {
    const start = this.at;
    const count = this.run(SPACE);
    if (this.form === 'json') return null;
    const next = this.at < this.text.length ? this.text.charCodeAt(this.at) : NEWLINE;
    const inside = next !== NEWLINE && (this.form === 'block' || start > 0);
    return inside && count <= MAX_SPACES ? null : this.escapes(SPACE, count);
  }

  private mark(codePoint: number): string | null {
    const start = this.at;
    const fate = this.marks.fateOf(codePoint, start);
    if (fate === MarkFate.Shown) {
      this.at += codePoint > 0xffff ? 2 : 1;
      return null;
    }
    const count = this.run(codePoint);
    if (count > 1) this.marks.skipTo(this.at);
    // Of accents in a row, only the third and later ones would be drawn over other characters.
    this.paintingMarks += fate === MarkFate.Painting ? count : Math.max(0, count - 2);
    return this.escapes(codePoint, count);
  }

  private unseen(codePoint: number): string {
    const count = this.run(codePoint);
    if (this.form === 'block' && codePoint === NEWLINE) {
      this.lines += count <= MAX_NEWLINES ? count : 2;
      return count <= MAX_NEWLINES ? '\n'.repeat(count) : `\n${this.escapes(codePoint, count - 2)}\n`;
    }
    if (this.form === 'block' && codePoint === TAB && count <= MAX_SPACES)
      return String.fromCodePoint(TAB_MARK).repeat(count);
    return this.escapes(codePoint, count);
  }

  /** Advances past a run of equal characters. @returns their number. */
  private run(codePoint: number): number {
    const { text } = this;
    const character = String.fromCodePoint(codePoint);
    const start = this.at;
    const first = character.charCodeAt(0);
    if (character.length === 1) {
      while (text.charCodeAt(this.at) === first) this.at++;
      // The first half of a pair is not a lone surrogate.
      if ((first & 0xfc00) === 0xd800 && (text.charCodeAt(this.at) & 0xfc00) === 0xdc00) this.at--;
      return this.at - start;
    }
    while (text.codePointAt(this.at) === codePoint) this.at += 2;
    return (this.at - start) / 2;
  }

  private escapes(codePoint: number, count: number): string {
    if (this.form === 'json') return jsonEscape(codePoint).repeat(count);
    const hex = codePoint.toString(16);
    return count < COUNTED_FROM ? `\\u{${hex}}`.repeat(count) : `\\u{${hex}×${count}}`;
  }
}

function jsonEscape(codePoint: number): string {
  if (codePoint <= 0xffff) return `\\u${codePoint.toString(16).padStart(4, '0')}`;
  const character = String.fromCodePoint(codePoint);
  return jsonEscape(character.charCodeAt(0)) + jsonEscape(character.charCodeAt(1));
}
