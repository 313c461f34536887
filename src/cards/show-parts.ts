import type { ActionPart, DiffPart } from './action-part';
import { blockLines, labelOf, nameOfPart, noteOf } from './action-parts';
import type { CodeLanguage } from './code-language';
import { excerpt, type Excerpt } from './excerpt';
import { nearChanges, writeRows, type DiffRow } from './line-diff';
import { bold, code, fold, join, pre, rich, words, type RichText } from './rich-text';

/** Lines of a block that a card shows without a tap: half a screen of a phone. */
const OPEN_LINES = 14;
/** Characters of code in one line of a phone; a longer line takes several. */
const LINE_LENGTH = 36;

/** The parts of an action as pieces of a card, each of whole lines. Long blocks end in a fold. */
export function showParts(parts: readonly ActionPart[]): RichText[] {
  return showEach(parts, FOLDED);
}

/** The same pieces with nothing folded, for a message that folds each action as a whole. */
export function showWhole(parts: readonly ActionPart[]): RichText[] {
  return showEach(parts, {
    diff: ({ shown }) => [shown === '' ? bold('Change (empty)') : colour(shown, 'diff')],
    block: (shown, language) => [colour(shown, language)],
  });
}

interface Ways {
  readonly diff: (part: DiffPart) => RichText[];
  readonly block: (shown: string, language: CodeLanguage | undefined) => RichText[];
}

const FOLDED: Ways = { diff: showDiff, block: showBlock };

function showEach(parts: readonly ActionPart[], ways: Ways): RichText[] {
  return parts.flatMap((part, i) => {
    if ('rows' in part) return ways.diff(part as DiffPart);
    // The title above has named it, and one line cannot pass for further lines of the card.
    const isPlain = part.layout === 'block' && part.lines === 1 && part.shown !== '' && !part.endsInCrlf;
    return isPlain && i === 0 && !part.isTheirLabel
      ? ways.block(part.shown, part.language)
      : showPart(part, ways);
  });
}

function showPart(part: ActionPart, { block }: Ways): RichText[] {
  const name = nameOfPart(part);
  const label = rich`${part.isTheirLabel ? code(name) : bold(name)}${words(noteOf(part))}`;
  if (part.shown === '') return [label];
  if (part.layout === 'line') return [rich`${label}: ${part.shown}`];
  return [rich`${label}:`, ...block(part.shown, part.language)];
}

/** A text as a block; the lines beyond the first ones are folded. */
function showBlock(shown: string, language?: CodeLanguage): RichText[] {
  const [open, folded] = splitBlock(shown);
  const block = (lines: readonly string[]) => colour(lines.join('\n'), language);
  if (folded.length === 0) return [block(open)];
  if (open.length === 0) return [fold(block(folded))];
  const [from, to] = [open.length + 1, open.length + folded.length];
  const place = from === to ? `Line ${to}` : `Lines ${from} to ${to}`;
  return [block(open), fold(rich`${bold(place)}:\n${block(folded)}`)];
}

/** Length of the words around a fold of an excerpt. */
const ROOM_FOR_FOLDS = 40;

/** The parts with the changes of a long diff only: a reader needs these first. */
export function nearestParts(parts: readonly ActionPart[]): ActionPart[] {
  return parts.map((part): ActionPart => {
    if (!('rows' in part)) return part;
    const rows = nearChanges((part as DiffPart).rows);
    const nearest: DiffPart = { ...part, rows, shown: writeRows(rows), linesInAll: part.lines };
    return nearest;
  });
}

/**
 * The parts with about `length` units of the longest one, from both ends; if the others are too long for a message, then
 * as much of all of them.
 *
 * @param limit the length of a message
 */
export function showExcerpt(parts: readonly ActionPart[], length: number, limit: number): RichText[] {
  const longest = parts.reduce((found, part) => (part.shown.length > found.shown.length ? part : found));
  const total = parts.reduce((sum, { shown }) => sum + shown.length, 0);
  const room = Math.max(0, length - ROOM_FOR_FOLDS);
  if (longest.layout === 'block' && total - longest.shown.length <= limit / 4) {
    const name = rich`${longest.isTheirLabel ? code(nameOfPart(longest)) : bold(nameOfPart(longest))}${words(noteOf(longest))}`;
    return parts.flatMap((part) =>
      part === longest
        ? [
            rich`${name}: 🔎 ${bold('Excerpt only')}, it has ${part.shown.length} characters. It begins`,
            ...showEnds(excerpt(part.shown, room), part.language),
          ]
        : showPart(part, FOLDED),
    );
  }
  // Enough of both ends for any excerpt; a part may be much longer.
  const [front, back] = [parts, parts.toReversed()].map((ordered, end) => {
    const pieces: string[] = [];
    for (let at = 0, have = 0; at < ordered.length && have <= limit; at++) {
      const part = ordered[at] as ActionPart;
      const shown = end === 0 ? part.shown.slice(0, limit) : part.shown.slice(-limit);
      const text =
        part.layout === 'line'
          ? `${labelOf(part)}: ${shown}`
          : [`${labelOf(part)}:`, ...blockLines(shown)].join('\n');
      pieces.push(text);
      have += text.length;
    }
    return (end === 0 ? pieces : pieces.reverse()).join('\n');
  }) as [string, string];
  const { head } = excerpt(front, room);
  const { tail } = excerpt(back, room);
  return [
    rich`🔎 ${bold('Excerpt only')}: the action has ${total} characters. It begins`,
    ...showEnds({ head, tail, leftOut: Math.max(0, total - head.length - tail.length) }),
  ];
}

function showEnds({ head, tail, leftOut }: Excerpt, language?: CodeLanguage): RichText[] {
  const [open, folded] = splitBlock(head);
  return [
    ...(open.length === 0 ? [] : [colour(open.join('\n'), language)]),
    fold(
      join(
        [
          ...(open.length === 0 || folded.length === 0 ? [] : [rich`${bold('It goes on')}:`]),
          ...(folded.length === 0 ? [] : [colour(folded.join('\n'), language)]),
          words(`… ${leftOut} characters left out … and it ends`),
          // The cut may be within a line, so mark that the tail is not the beginning of one.
          pre(`…${tail}`, language),
        ],
        '\n',
      ),
    ),
  ];
}

/** The first lines of a block, which stay open, and those to be folded; either may be empty. */
export function splitBlock(shown: string): readonly [open: readonly string[], folded: readonly string[]] {
  const lines = shown.split('\n');
  const open = countOpen(lines);
  return [lines.slice(0, open), lines.slice(open)];
}

/** The number of first lines that stay open; all of them if the rest would be hardly worth a fold. */
function countOpen(lines: readonly string[]): number {
  let height = 0;
  let open = 0;
  for (const [i, line] of lines.entries()) {
    height += Math.max(1, Math.ceil(line.length / LINE_LENGTH));
    if (height <= OPEN_LINES) open = i + 1;
    if (height > OPEN_LINES + 4) return open;
  }
  return lines.length;
}

/** Only what is near the changes is open; a fold has all lines if some are missing there. */
function showDiff({ rows, shown, linesInAll }: DiffPart): RichText[] {
  if (shown === '') return [bold('Change (empty)')];
  if (linesInAll !== undefined)
    return [
      rich`🔎 ${bold('Excerpt only')}: every change, but not every one of the ${linesInAll} lines`,
      ...showBlock(shown, 'diff'),
    ];
  const near = nearChanges(rows);
  const heights = near.map(([mark, text]) => (mark === '@' ? '' : ' ') + text);
  const open = countOpen(heights);
  if (near.length === rows.length && open === near.length) return [colour(shown, 'diff')];
  const left = rows.length - near.slice(0, open).filter(([mark]) => mark !== '@').length;
  const more: DiffRow[] = open < near.length ? [['@', `${left} more lines below`]] : [];
  return [
    ...(open === 0 ? [] : [colour(writeRows([...near.slice(0, open), ...more]), 'diff')]),
    fold(rich`${bold(`The whole change, ${rows.length} lines`)}:\n${colour(shown, 'diff')}`),
  ];
}

function colour(text: string, language: CodeLanguage | undefined): RichText {
  return language === 'bash' ? shellBlocks(text) : pre(text, language);
}

/** More here-documents are not told apart: Telegram formats at most 100 pieces of a message. */
const MAX_HERE_DOCUMENTS = 4;
const HERE_DOCUMENT = /(?<!<)<<-?[ \t]*(?:'([^'\n]{1,64})'|"([^"\n]{1,64})"|\\?([A-Za-z_][\w.-]{0,63}))/;

/** A command in which the texts of here-documents are not coloured as commands. The text is the same. */
function shellBlocks(command: string): RichText {
  const blocks: { lines: string[]; isCode: boolean }[] = [{ lines: [], isCode: true }];
  let end: string | null = null;
  for (const line of command.split('\n')) {
    let current = blocks.at(-1);
    if (end !== null && line.replace(/^⇥*/, '') === end) {
      end = null;
      current = { lines: [], isCode: true };
      blocks.push(current);
    }
    current?.lines.push(line);
    const begins: RegExpExecArray | null =
      end === null && blocks.length <= 2 * MAX_HERE_DOCUMENTS ? HERE_DOCUMENT.exec(line) : null;
    if (!begins) continue;
    end = begins[1] ?? begins[2] ?? begins[3] ?? '';
    blocks.push({ lines: [], isCode: false });
  }
  return join(
    blocks
      .filter(({ lines }) => lines.length > 0)
      .map(({ lines, isCode }) => pre(lines.join('\n'), isCode ? 'bash' : undefined)),
    '\n',
  );
}
