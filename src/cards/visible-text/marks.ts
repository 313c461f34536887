import { belongsOn, isAccent, kindOf, PLAIN } from './characters';

/** Number of marks to show on a letter: a higher stack would cover the line above. */
const MAX_MARKS_IN_A_ROW = 2;
/** Number of letters to join below one: a deeper stack would cover the line below. */
const MAX_JOINED_LETTERS = 4;

/** Signs that put the next letter below the one before them, in the scripts whose marks are shown. */
const JOINERS: ReadonlySet<number> = new Set([
  0x94d, 0x9cd, 0xa4d, 0xacd, 0xb4d, 0xbcd, 0xc4d, 0xccd, 0xd4d, 0xdca, 0xeba, 0xf84, 0x1039, 0x17d2,
]);

/** Treatment of a mark. `Accent`: escaped, because the letter with it may look like another character. */
export const enum MarkFate {
  Shown,
  Accent,
  Painting,
}

/** Decides about the marks of a text in order: marks that would paint over other characters are not shown. */
export class Marks {
  private lastEnd = -1;
  private row = 0;
  private base = -1;
  private joined = 0;
  private joinedUntil = -1;
  private allShown = true;

  constructor(private readonly text: string) {}

  /** @param at position of the mark; call this for every mark of the text, except those equal to the one before */
  fateOf(mark: number, at: number): MarkFate {
    if (at !== this.lastEnd) this.beginRow(at);
    this.row += 1;
    this.lastEnd = at + (mark > 0xffff ? 2 : 1);
    if (this.row > MAX_MARKS_IN_A_ROW) return MarkFate.Painting;
    if (this.allShown && belongsOn(mark, this.base) && !this.joinsTooDeep(mark)) return MarkFate.Shown;
    this.allShown = false;
    return this.base !== -1 && isAccent(mark, this.base) ? MarkFate.Accent : MarkFate.Painting;
  }

  /** Counts further marks in the row that are all equal to the last one. */
  skipTo(end: number): void {
    this.row = MAX_MARKS_IN_A_ROW + 1;
    this.lastEnd = end;
  }

  private beginRow(at: number): void {
    const begin = isPair(this.text, at - 2) ? at - 2 : at - 1;
    const base = begin < 0 ? -1 : (this.text.codePointAt(begin) ?? -1);
    this.base = base !== -1 && kindOf(base) === PLAIN ? base : -1;
    this.row = 0;
    this.allShown = this.base !== -1;
    this.joined = begin === this.joinedUntil ? this.joined : 0;
  }

  private joinsTooDeep(mark: number): boolean {
    if (!JOINERS.has(mark)) return false;
    this.joined += 1;
    this.joinedUntil = this.lastEnd;
    return this.joined > MAX_JOINED_LETTERS;
  }
}

function isPair(text: string, at: number): boolean {
  return (
    at >= 0 && (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00
  );
}
