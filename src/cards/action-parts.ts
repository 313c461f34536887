import { z } from 'zod';
import { cutText } from '../kernel/cut-text';
import type { JsonObject, JsonValue } from '../kernel/json';
import { runAtOnce, type Steps } from '../kernel/steps';
import { beginning } from './excerpt';
import type { CodeLanguage } from './rich-text';
import { makeVisible, type Visible } from './visible-text/visible-text';

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
type Row = readonly [ours: string, text: string];

/** A part before its text is made visible; each of several texts is a separate line. */
interface HiddenPart extends Omit<ActionPart, keyof Visible> {
  readonly value: string | readonly Row[];
}

/** A member of a known tool's input that is easier to read as plain text than as JSON. */
interface KnownMember {
  readonly name: string;
  readonly label: string;
  readonly layout: 'line' | 'block';
  readonly language?: CodeLanguage;
}

const COMMAND = (language: CodeLanguage): KnownMember[] => [
  { name: 'command', label: 'Command', layout: 'block', language },
  { name: 'description', label: 'Description by the agent', layout: 'line' },
];

/** The inputs of Claude Code's tools, in reading order. */
const KNOWN_MEMBERS: ReadonlyMap<string, readonly KnownMember[]> = new Map([
  ['Bash', COMMAND('bash')],
  ['PowerShell', COMMAND('powershell')],
  ['Monitor', COMMAND('bash')],
  [
    'WebFetch',
    [
      { name: 'url', label: 'URL', layout: 'line' },
      { name: 'prompt', label: 'Prompt', layout: 'line' },
    ],
  ],
  [
    'Write',
    [
      { name: 'file_path', label: 'File', layout: 'line' },
      { name: 'content', label: 'Content', layout: 'block' },
    ],
  ],
  [
    'Edit',
    [
      { name: 'file_path', label: 'File', layout: 'line' },
      { name: 'old_string', label: 'Before', layout: 'block' },
      { name: 'new_string', label: 'After', layout: 'block' },
    ],
  ],
  ['MultiEdit', [{ name: 'file_path', label: 'File', layout: 'line' }]],
  [
    'NotebookEdit',
    [
      { name: 'notebook_path', label: 'Notebook', layout: 'line' },
      { name: 'new_source', label: 'New source', layout: 'block' },
    ],
  ],
] satisfies [string, KnownMember[]][]);

/** Question with options, as Claude Code asks it. */
const questionSchema = z.strictObject({
  question: z.string(),
  header: z.string().optional(),
  multiSelect: z.boolean().optional(),
  options: z.array(
    z.strictObject({ label: z.string(), description: z.string().optional(), preview: z.string().optional() }),
  ),
});

/** More edits than this are shown as JSON: Telegram formats at most 100 pieces of a message. */
const MAX_EDITS_SIDE_BY_SIDE = 6;

/** JSON of more values than this is one line: nobody reads so many, and indentation multiplies the size. */
const MAX_INDENTED_VALUES = 5_000;

/** The whole action for reading: first the tool's known members, then all others as JSON. */
export function actionParts(toolName: string, toolInput: JsonObject): ActionPart[] {
  return runAtOnce(makeActionParts(toolName, toolInput));
}

/** Like {@link actionParts}, in steps for a large action. */
export function* makeActionParts(toolName: string, toolInput: JsonObject): Steps<ActionPart[]> {
  const parts: ActionPart[] = [];
  for (const { value, ...rest } of hiddenParts(toolName, toolInput)) {
    parts.push({ ...rest, ...(yield* makeTextVisible(value, rest.layout)) });
  }
  return parts;
}

function* makeTextVisible(value: HiddenPart['value'], layout: ActionPart['layout']): Steps<Visible> {
  if (typeof value === 'string') return yield* makeVisible(value, layout);
  const lines: Visible[] = [];
  for (const [ours, text] of value) {
    const visible = yield* makeVisible(text, 'line');
    lines.push({ ...visible, shown: ours + visible.shown });
  }
  const paintingMarks = lines.reduce((sum, line) => sum + line.paintingMarks, 0);
  return { shown: lines.map(({ shown }) => shown).join('\n'), lines: lines.length, paintingMarks };
}

function hiddenParts(toolName: string, toolInput: JsonObject): HiddenPart[] {
  const rest = new Map(Object.entries(toolInput));
  const parts: HiddenPart[] = [];
  for (const member of KNOWN_MEMBERS.get(toolName) ?? []) {
    const value = rest.get(member.name);
    if (typeof value !== 'string') continue;
    rest.delete(member.name);
    parts.push(part(member, value));
  }
  const edits = toolName === 'MultiEdit' ? editParts(rest.get('edits')) : [];
  if (edits.length > 0) rest.delete('edits');
  const questions = toolName === 'AskUserQuestion' ? questionParts(rest.get('questions')) : [];
  if (questions.length > 0) rest.delete('questions');
  parts.push(...edits, ...questions);
  if (rest.size > 0 || parts.length === 0) {
    // fromEntries defines own members, so even one named __proto__ is kept.
    const members = Object.fromEntries(rest);
    const json = JSON.stringify(members, null, countValues(members) > MAX_INDENTED_VALUES ? 0 : 2);
    parts.push(
      part({ label: parts.length === 0 ? 'Input' : 'Other input', layout: 'block', language: 'json' }, json),
    );
  }
  return parts;
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

/** The label, with the number of lines if there are several, or "empty". */
export function labelOf({ label, shown, lines }: Pick<ActionPart, 'label' | 'shown' | 'lines'>): string {
  if (shown === '') return `${label} (empty)`;
  return lines > 1 ? `${label} (${lines} lines)` : label;
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

function part({ label, layout, language }: Omit<KnownMember, 'name'>, value: string): HiddenPart {
  return { label, layout, value, ...(language ? { language } : {}) };
}

/** Old and new text of each edit; empty if there are too many edits, or one has another shape. */
function editParts(edits: JsonValue | undefined): HiddenPart[] {
  if (!Array.isArray(edits) || edits.length > MAX_EDITS_SIDE_BY_SIDE) return [];
  const known = edits.map((edit: JsonValue) => editOf(edit)).filter((edit) => edit !== undefined);
  if (known.length < edits.length) return [];
  return known.flatMap(({ before, after, extent }, i) => [
    part({ label: `Before, edit ${i + 1} of ${known.length}${extent}`, layout: 'block' }, before),
    part({ label: `After, edit ${i + 1} of ${known.length}${extent}`, layout: 'block' }, after),
  ]);
}

/** Each question with its options; empty if there are too many, or one has another shape. */
function questionParts(value: JsonValue | undefined): HiddenPart[] {
  if (!Array.isArray(value) || value.length > MAX_EDITS_SIDE_BY_SIDE) return [];
  const { data: questions } = questionSchema.array().safeParse(value);
  return (questions ?? []).flatMap(({ header, question, multiSelect, options }, i) => {
    const label = questions?.length === 1 ? 'Question' : `Question ${i + 1} of ${questions?.length}`;
    const choice = multiSelect ? 'Options, several may be chosen' : 'Options';
    // Each option on a separate line, so that none can imitate another.
    const lines = options.flatMap((option, n): Row[] => [
      [`${n + 1}. `, option.label],
      ...[option.description, option.preview].flatMap((text): Row[] =>
        text === undefined ? [] : [['   ', text]],
      ),
    ]);
    return [
      part({ label, layout: 'block' }, question),
      ...(header === undefined ? [] : [part({ label: 'Header', layout: 'line' }, header)]),
      { label: choice, layout: 'block' as const, value: lines },
    ];
  });
}

function editOf(edit: JsonValue): { before: string; after: string; extent: string } | undefined {
  if (typeof edit !== 'object' || edit === null) return undefined;
  const { old_string: before, new_string: after, replace_all: everywhere, ...others } = edit as JsonObject;
  if (typeof before !== 'string' || typeof after !== 'string' || Object.keys(others).length > 0)
    return undefined;
  if (everywhere === undefined) return { before, after, extent: '' };
  if (typeof everywhere !== 'boolean') return undefined;
  return { before, after, extent: everywhere ? ', every occurrence' : ', one occurrence' };
}
