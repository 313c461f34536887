import { cutText } from '../kernel/cut-text';
import type { JsonObject, JsonValue } from '../kernel/json';
import { runAtOnce, type Steps } from '../kernel/steps';
import { part, type ActionPart, type HiddenPart } from './action-part';
import { beginning } from './excerpt';
import { knownTool } from './known-agents/known-agents';
import { seemingKind, type Media } from './media';
import { makeVisible, visibleLine, type Visible } from './visible-text/visible-text';

/** JSON of more values than this is one line: nobody reads so many, and indentation multiplies the size. */
const MAX_INDENTED_VALUES = 5_000;
/** JSON of this length is one line on a card, or two on a phone. */
const MAX_LINE_OF_JSON = 80;
/** More texts are shown within JSON: Telegram formats at most 100 pieces of a message. */
const MAX_TEXT_BLOCKS = 8;

/** A longer name of a member does not serve as a label. */
const MAX_NAME_LENGTH = 60;

/** Words for a text whose lines all end like this. */
export const CRLF = 'CRLF line ends';

/** The whole action for reading: first the tool's known members, then all others as JSON. */
export function actionParts(toolName: string, toolInput: JsonObject): ActionPart[] {
  return runAtOnce(makeActionParts(toolName, toolInput));
}

/**
 * Like {@link actionParts}, in steps for a large action.
 *
 * @param media collects the data in the input, for which a marker stands in the parts; without it, data is text
 */
export function* makeActionParts(
  toolName: string,
  toolInput: JsonObject,
  media: Media | null = null,
): Steps<ActionPart[]> {
  const parts: ActionPart[] = [];
  for (const { value, ...rest } of hiddenParts(toolName, toolInput, media)) {
    parts.push({ ...rest, ...(yield* makeTextVisible(value, rest.layout)) });
  }
  return parts;
}

function* makeTextVisible(value: HiddenPart['value'], layout: ActionPart['layout']): Steps<Visible> {
  if (typeof value === 'string') {
    const visible = yield* makeVisible(value, layout);
    // The empty line after the last line end is not one that a person counts.
    return value.endsWith('\n') && visible.lines > 1 ? { ...visible, lines: visible.lines - 1 } : visible;
  }
  const lines: Visible[] = [];
  for (const [ours, text] of value) {
    const visible = yield* makeVisible(text, 'line');
    lines.push({ ...visible, shown: ours + visible.shown });
  }
  const paintingMarks = lines.reduce((sum, line) => sum + line.paintingMarks, 0);
  return { shown: lines.map(({ shown }) => shown).join('\n'), lines: lines.length, paintingMarks };
}

function hiddenParts(toolName: string, toolInput: JsonObject, media: Media | null): HiddenPart[] {
  const rest = new Map(Object.entries(toolInput));
  const parts: HiddenPart[] = [];
  const tool = knownTool(toolName);
  for (const member of tool?.members?.(toolInput) ?? []) {
    const value = rest.get(member.name);
    if (typeof value !== 'string') continue;
    rest.delete(member.name);
    parts.push(part(member, value));
  }
  const structure = tool?.structure?.(toolInput);
  for (const member of structure?.members ?? []) rest.delete(member);
  parts.push(...(structure?.parts ?? []));
  media?.look(rest.values());
  const files = (media?.found ?? []).map(({ words }, i) =>
    part({ label: `File ${i + 1}`, layout: 'line' }, words),
  );
  return [...parts, ...files, ...jsonParts(rest, parts.length === 0 ? 'Input' : 'Other input', media)];
}

/**
 * Members as JSON, in their order. A text of several lines is a block of its own, with its name as the label. With none
 * of the two there is an empty object.
 */
function jsonParts(
  members: ReadonlyMap<string, JsonValue>,
  label: string,
  media: Media | null,
): HiddenPart[] {
  const parts: HiddenPart[] = [];
  let group: [string, JsonValue][] = [];
  let texts = 0;
  const endGroup = (): void => {
    if (group.length > 0) parts.push(jsonPart(parts.length === 0 ? label : 'More input', group, media));
    group = [];
  };
  for (const [name, value] of members) {
    const isText = typeof value === 'string' && value.includes('\n') && name.length <= MAX_NAME_LENGTH;
    if (!isText || texts >= MAX_TEXT_BLOCKS) {
      group.push([name, value]);
      continue;
    }
    endGroup();
    texts += 1;
    parts.push({ ...part({ label: JSON.stringify(name), layout: 'block' }, value), isTheirLabel: true });
  }
  endGroup();
  return members.size === 0 && label === 'Input' ? [jsonPart(label, [], media)] : parts;
}

function jsonPart(label: string, entries: readonly [string, JsonValue][], media: Media | null): HiddenPart {
  const write = (value: JsonValue, indent?: number): string =>
    media ? media.stringify(value, indent) : JSON.stringify(value, null, indent);
  // fromEntries defines own members, so even one named __proto__ is kept.
  const members = Object.fromEntries(entries);
  const short = write(members);
  if (short.length <= MAX_LINE_OF_JSON) return part({ label, layout: 'line' }, short);
  const isLarge = countValues(members) > MAX_INDENTED_VALUES;
  return part({ label, layout: 'block', language: 'json' }, isLarge ? short : write(members, 2));
}

/** The beginning of the action in at most `length` units, for lists. It is not exact: do not decide from it. */
export function actionLine(toolName: string, toolInput: JsonObject, length: number): string {
  // Escapes are longer than their characters, and runs of spaces become shorter: this leaves room for some.
  const { value, cut } = abridge(toolInput, 4 * length);
  const line = actionParts(toolName, value)
    .map((each) => each.shown.replaceAll(/\n */g, ' ').trim())
    .filter((shown) => shown !== '')
    .join(' · ');
  return beginning(cut ? `${line}…` : line, length);
}

/** The first members of an object with the beginnings of their texts, about `units` units in total. */
function abridge(object: JsonObject, units: number): { value: JsonObject; cut: boolean } {
  let left = units;
  const take = (value: JsonValue): JsonValue => {
    left -= 1;
    if (typeof value === 'string') {
      const kind = seemingKind(value);
      if (kind !== null) return `⟦${kind}⟧`;
      const taken = cutText(value, Math.max(0, left));
      left -= value.length;
      return taken;
    }
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) {
      const elements: JsonValue[] = [];
      for (let at = 0; at < value.length && left > 0; at++) elements.push(take(value[at] as JsonValue));
      return elements;
    }
    const members: [string, JsonValue][] = [];
    for (const [name, member] of Object.entries(value)) {
      if (left <= 0) break;
      members.push([take(name) as string, take(member)]);
    }
    return Object.fromEntries(members);
  };
  const value = take(object) as JsonObject;
  return { value, cut: left < 0 };
}

/** Precedes every line of a block, so that no line of an action can imitate one of the card. */
export const BLOCK_PREFIX = '  │ ';

/** The lines of a block, each with a prefix that no text in the block can remove. */
export function blockLines(shown: string): string[] {
  return shown === '' ? [] : shown.split('\n').map((line) => BLOCK_PREFIX + line);
}

/** The whole action as lines of plain text: the card's labels, and the lines of the blocks with their prefix. */
export function actionLines(parts: readonly ActionPart[]): string[] {
  return parts.flatMap((part) =>
    part.layout === 'line' && part.shown !== ''
      ? [`${labelOf(part)}: ${part.shown}`]
      : [`${labelOf(part)}:`, ...blockLines(part.shown)],
  );
}

/** The label with what it has to say about the text: its lines, its line ends, or that it is empty. */
export function labelOf(
  part: Pick<ActionPart, 'label' | 'isTheirLabel' | 'shown' | 'lines' | 'endsInCrlf'>,
): string {
  return `${nameOfPart(part)}${noteOf(part)}`;
}

/** The label alone; one of the caller's in its visible form. */
export function nameOfPart({ label, isTheirLabel }: Pick<ActionPart, 'label' | 'isTheirLabel'>): string {
  return isTheirLabel ? visibleLine(label) : label;
}

/** The part of a label that counts, with a space before it; empty if there is nothing to say. */
export function noteOf({
  shown,
  lines,
  endsInCrlf,
}: Pick<ActionPart, 'shown' | 'lines' | 'endsInCrlf'>): string {
  if (shown === '') return ' (empty)';
  const notes = [...(lines > 1 ? [`${lines} lines`] : []), ...(endsInCrlf ? [CRLF] : [])];
  return notes.length === 0 ? '' : ` (${notes.join(', ')})`;
}

/** The number of values, counted up to one more than {@link MAX_INDENTED_VALUES}. */
function countValues(value: JsonValue): number {
  const waiting: JsonValue[] = [value];
  let count = 0;
  for (let next = waiting.pop(); next !== undefined && count <= MAX_INDENTED_VALUES; next = waiting.pop()) {
    count += 1;
    if (typeof next !== 'object' || next === null) continue;
    if (Array.isArray(next) && next.length > MAX_INDENTED_VALUES) return next.length;
    for (const member of Object.values(next) as JsonValue[])
      if (waiting.length <= MAX_INDENTED_VALUES) waiting.push(member);
  }
  return count;
}
