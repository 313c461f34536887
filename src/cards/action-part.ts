import type { CodeLanguage } from './rich-text';
import type { Visible } from './visible-text/visible-text';

/** One labelled piece of an action, with `shown` exact and visible. All parts together hold the whole tool input. */
export interface ActionPart {
  readonly label: string;
  readonly shown: string;
  readonly layout: 'line' | 'block';
  readonly language?: CodeLanguage;
  /** The number of lines in `shown`. */
  readonly lines: number;
  /** The number of combining marks that are escaped because they would be drawn over other characters. */
  readonly paintingMarks: number;
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
}

/** A part that shows one text. */
export function part({ label, layout, language }: Omit<KnownMember, 'name'>, value: string): HiddenPart {
  return { label, layout, value, ...(language ? { language } : {}) };
}
