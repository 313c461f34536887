import { diffArrays } from 'diff';

/** A line of a change: its mark and its text. `'@'` stands before words of the card, not of the action. */
export type DiffRow = readonly [mark: ' ' | '-' | '+' | '@', text: string];

/** A change of lines, from which both texts can be read again. */
export interface LineDiff {
  readonly rows: readonly DiffRow[];
  /** The number of changed passages, each between unchanged lines. */
  readonly places: number;
}

/** Texts of more lines are not compared, nor more lines between the first and the last change: it must stay fast. */
const MOST_LINES = 20_000;
const MOST_COMPARED_LINES = 1_000;
/** More changed lines than this read better as two texts; the search grows with their square. */
const MOST_CHANGES = 100;
/** Unchanged lines around a change, as in every unified diff. */
const CONTEXT = 3;

/** The lines of a text: none for the empty one, so that no two texts have the same lines. */
const linesOf = (text: string): string[] => (text === '' ? [] : text.split('\n'));

/** The change from one text to another, line by line; null if they are too long or too different to compare. */
export function diffLines(before: string, after: string): LineDiff | null {
  const ends = countLineEnds(before, MOST_LINES);
  if (ends + countLineEnds(after, MOST_LINES - ends) >= MOST_LINES) return null;
  const [old, young] = [linesOf(before), linesOf(after)];
  if (old.length + young.length > MOST_LINES) return null;
  const shorter = Math.min(old.length, young.length);
  let head = 0;
  while (head < shorter && old[head] === young[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && old[old.length - 1 - tail] === young[young.length - 1 - tail]) tail += 1;
  const [removed, added] = [old.slice(head, old.length - tail), young.slice(head, young.length - tail)];
  if (removed.length + added.length > MOST_COMPARED_LINES) return null;
  // Numbers in place of lines: comparing two costs the same, however long and alike the lines are.
  const texts: string[] = [];
  const numbers = new Map<string, number>();
  const numberOf = (text: string): number => {
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, texts.length);
    return texts.push(text) - 1;
  };
  const changes = diffArrays(removed.map(numberOf), added.map(numberOf), { maxEditLength: MOST_CHANGES });
  if (!changes) return null;
  const row = (mark: DiffRow[0]) => (text: string) => [mark, text] as const;
  const rows = [
    ...old.slice(0, head).map(row(' ')),
    ...changes.flatMap((change) =>
      change.value.map((line) => row(change.added ? '+' : change.removed ? '-' : ' ')(texts[line] ?? '')),
    ),
    ...old.slice(old.length - tail).map(row(' ')),
  ];
  return { rows, places: countPlaces(rows) };
}

/** The line ends of a text, counted up to a number: most of a long text need not be looked at. */
function countLineEnds(text: string, most: number): number {
  let ends = 0;
  for (let at = text.indexOf('\n'); at !== -1 && ends < most; at = text.indexOf('\n', at + 1)) ends += 1;
  return ends;
}

function countPlaces(rows: readonly DiffRow[]): number {
  return rows.filter(([mark], i) => mark !== ' ' && (i === 0 || rows[i - 1]?.[0] === ' ')).length;
}

/** The rows near a change; a row of ours says how many are left out. The same rows if none are. */
export function nearChanges(rows: readonly DiffRow[]): readonly DiffRow[] {
  const isNear = rows.map(() => false);
  for (const [i, [mark]] of rows.entries()) {
    if (mark === ' ') continue;
    const reach = mark === '@' ? 0 : CONTEXT;
    for (let at = Math.max(0, i - reach); at <= Math.min(rows.length - 1, i + reach); at++) isNear[at] = true;
  }
  if (!isNear.includes(false)) return rows;
  const near: DiffRow[] = [];
  for (let i = 0; i < rows.length;) {
    const row = rows[i];
    if (isNear[i] && row) {
      near.push(row);
      i += 1;
      continue;
    }
    const from = i;
    while (i < rows.length && !isNear[i]) i += 1;
    near.push(['@', `${i - from} unchanged line${i - from === 1 ? '' : 's'}`]);
  }
  return near;
}

/** The rows as text, each with its mark; a row of ours reads `@@ words @@`. */
export function writeRows(rows: readonly DiffRow[]): string {
  return rows.map(([mark, text]) => (mark === '@' ? `@@ ${text} @@` : mark + text)).join('\n');
}
