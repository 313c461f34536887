import type { CodeLanguage } from './code-language';
import type { DiffRow } from './line-diff';
import type { Visible } from './visible-text/visible-text';

/** One labelled piece of an action, with `shown` exact and visible. All parts together hold the whole tool input. */
export interface ActionPart {
  readonly label: string;
  /** True if the label is the caller's name of a member, and not words of the card. */
  readonly isTheirLabel?: boolean;
  readonly shown: string;
  readonly layout: 'line' | 'block';
  readonly language?: CodeLanguage;
  /** The number of lines in `shown`. */
  readonly lines: number;
  /** The number of combining marks that are escaped because they would be drawn over other characters. */
  readonly paintingMarks: number;
  /** True if every line of the text ended with CRLF, which `shown` leaves out. */
  readonly endsInCrlf?: boolean;
  /** True for a text that the title and the foot of a card have already: the card repeats it with the details. */
  readonly isDetail?: boolean;
  /** Set on the content of a file that the action writes. */
  readonly file?: WrittenFile;
  /** Set on the text before an edit, which the part with the text after it follows. A card shows both as a diff. */
  readonly edit?: Edit;
}

/** A file that an action writes, for a document under its own name. */
export interface WrittenFile {
  readonly path: string;
  readonly content: string;
}

/** One replacement of a text. */
export interface Edit {
  /** Words above its lines in a diff: its number, its extent. Empty if there is nothing to say. */
  readonly heading: string;
}

/** The edits of an action as one diff. */
export interface DiffPart extends ActionPart {
  readonly rows: readonly DiffRow[];
  /** The number of lines of the whole change, if unchanged lines are left out. */
  readonly linesInAll?: number;
}

/** A line that begins with words of the card; the text after them must not pass for more of them. */
export type Row = readonly [ours: string, text: string];

/** A part before its text is made visible; each of several texts is a separate line. */
export interface HiddenPart extends Omit<ActionPart, keyof Visible> {
  readonly value: string | readonly Row[];
}

/** A member of a known tool's input that is easier to read as plain text than as JSON. */
export interface KnownMember {
  readonly name: string;
  readonly label: string;
  readonly layout: 'line' | 'block';
  readonly language?: CodeLanguage;
  readonly isDetail?: boolean;
  /** The path of the file that gets the text as its content. */
  readonly path?: string;
}

/** A part that shows one text. */
export function part(member: Omit<KnownMember, 'name'>, value: string): HiddenPart {
  const { label, layout, language, isDetail, path } = member;
  const endsInCrlf = layout === 'block' && hasOnlyCrlf(value);
  return {
    label,
    layout,
    value: endsInCrlf ? withoutCr(value) : value,
    ...(endsInCrlf ? { endsInCrlf } : {}),
    ...(language ? { language } : {}),
    ...(isDetail ? { isDetail } : {}),
    ...(path === undefined ? {} : { file: { path, content: value } }),
  };
}

/** The two parts of an edit. CRLF is left out of both texts or of none, since a change of line ends is a change. */
export function editParts(
  labels: readonly [string, string],
  texts: readonly [string, string],
  edit: Edit,
): HiddenPart[] {
  const isCrlf = texts.some(hasOnlyCrlf) && texts.every((text) => hasOnlyCrlf(text) || !text.includes('\n'));
  const layout = 'block' as const;
  const [before, after] = isCrlf ? [withoutCr(texts[0]), withoutCr(texts[1])] : texts;
  const end = isCrlf ? { endsInCrlf: true } : {};
  return [
    { label: labels[0], layout, value: before, edit, ...end },
    { label: labels[1], layout, value: after, ...end },
  ];
}

/** True if the text has line ends, and all of them are CRLF. */
function hasOnlyCrlf(text: string): boolean {
  return text.includes('\r\n') && !/(?<!\r)\n|\r(?!\n)/.test(text);
}

function withoutCr(text: string): string {
  return text.replaceAll('\r\n', '\n');
}
