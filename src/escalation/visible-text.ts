/**
 * Everything a reader cannot see, or that changes how the rest is seen: control, format, private-use and unassigned
 * code points, lone surrogates, separators and spaces, default-ignorables (fillers, variation selectors, tags),
 * marks that paint over any letter, and blanks that Unicode counts as letters or symbols.
 */
const UNSEEN =
  '[\\u{16fe4}\\p{C}\\p{Z}\\p{DI}\\p{Me}\\u2800\\ufffc\\u{13441}\\u{13442}\\u{1d159}]|(?=\\p{Script=Inherited})\\p{M}';

/** A run of one unseen character, a tab mark, or the backslash of what would read as one of our escapes. */
const SHOWN_OTHERWISE = new RegExp(`(${UNSEEN}|\\u21e5)\\1*|\\\\(?=u\\{)`, 'gu');

const UNSEEN_IN_JSON = new RegExp(`(?! )(?:${UNSEEN})`, 'gu');

/** What a tab is shown as in a block. Telegram itself would turn it into one space. */
const TAB_MARK = '\u21e5';

/** Runs of more than this could push what follows out of sight. */
const MAX_SPACES = 40;
const MAX_NEWLINES = 3;

/** From this many on, equal escapes in a row are counted instead of repeated. */
const COUNTED_FROM = 4;

/**
 * Several lines, for a code block: line ends stay, tabs become `⇥`, and whatever cannot be seen becomes `\u{hex}`,
 * a row of n of them `\u{hex×n}`; so do spaces at the end of a line, long rows of spaces and of empty lines.
 *
 * Exact: different texts never look alike. `\u{` in the result is always an escape, because a backslash that the
 * text has before `u{` is itself shown as `\u{5c}`, and so is a `⇥` (as `\u{21e5}`); every other backslash stays.
 */
export function visibleBlock(text: string): string {
  return text.replace(SHOWN_OTHERWISE, (run: string, char: string | undefined, at: number) => {
    if (char === undefined) return '\\u{5c}';
    const count = run.length / char.length;
    const next = text.charAt(at + run.length);
    switch (char) {
      case '\n':
        return count <= MAX_NEWLINES ? run : `\n${escapes(char, count - 2)}\n`;
      case '\t':
        return count <= MAX_SPACES ? TAB_MARK.repeat(count) : escapes(char, count);
      case ' ':
        return count <= MAX_SPACES && next !== '' && next !== '\n' ? run : escapes(char, count);
      default:
        return escapes(char, count);
    }
  });
}

/** One line, for a field: as `visibleBlock`, but line ends, tabs and spaces at either end are escaped too. */
export function visibleLine(text: string): string {
  return text.replace(SHOWN_OTHERWISE, (run: string, char: string | undefined, at: number) => {
    if (char === undefined) return '\\u{5c}';
    const count = run.length / char.length;
    const inside = at > 0 && at + run.length < text.length;
    return char === ' ' && inside && count <= MAX_SPACES ? run : escapes(char, count);
  });
}

/** A JSON text that reads back as the same value, with everything unseen written as JSON escapes. */
export function visibleJson(json: string): string {
  return json.replace(UNSEEN_IN_JSON, (char) =>
    Array.from(
      { length: char.length },
      (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

function escapes(char: string, count: number): string {
  const hex = (char.codePointAt(0) ?? 0).toString(16);
  return count < COUNTED_FROM ? `\\u{${hex}}`.repeat(count) : `\\u{${hex}×${count}}`;
}
