import { z } from 'zod';
import type { JsonObject, JsonValue } from '../kernel/json';
import type { CodeLanguage } from './rich-text';
import { visibleBlock, visibleLine } from './visible-text';

/** One labelled piece of an action, with `shown` exact and visible. All parts together hold the whole tool input. */
export interface ActionPart {
  readonly label: string;
  readonly shown: string;
  readonly layout: 'line' | 'block';
  readonly language?: CodeLanguage;
}

/** A member of a known tool's input that reads better as itself than as JSON. */
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

/** The inputs of Claude Code's tools, in the order in which a person wants to read them. */
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

/** What the card says of a question with options, as Claude Code asks it. */
const questionSchema = z.strictObject({
  question: z.string(),
  header: z.string().optional(),
  multiSelect: z.boolean().optional(),
  options: z.array(
    z.strictObject({ label: z.string(), description: z.string().optional(), preview: z.string().optional() }),
  ),
});

/** More edits than this are shown as JSON: Telegram formats at most 100 pieces of a message. */
const MAX_EDITS_SIDE_BY_SIDE = 8;

/** The whole action for reading: what is known of the tool first, every other member as JSON after it. */
export function actionParts(toolName: string, toolInput: JsonObject): ActionPart[] {
  const rest = new Map(Object.entries(toolInput));
  const parts: ActionPart[] = [];
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
    // fromEntries defines members, so even one named __proto__ stays one.
    const json = JSON.stringify(Object.fromEntries(rest), null, 2);
    parts.push(
      part({ label: parts.length === 0 ? 'Input' : 'Other input', layout: 'block', language: 'json' }, json),
    );
  }
  return parts;
}

/** The whole action in one line, for lists: not exact, and not enough to decide on. */
export function actionLine(toolName: string, toolInput: JsonObject): string {
  return actionParts(toolName, toolInput)
    .map((each) => each.shown.replaceAll(/\n */g, ' ').trim())
    .filter((shown) => shown !== '')
    .join(' · ');
}

/** Stands before every line of a block, so that no line of an action can pass for one of ours. */
const BLOCK_PREFIX = '  │ ';

/** The lines of a block, each behind a mark that nothing in the block can take away. */
export function blockLines(shown: string): string[] {
  return shown === '' ? [] : shown.split('\n').map((line) => BLOCK_PREFIX + line);
}

/** The whole action as lines of plain text: labels of ours, and every line of a block marked as the action's own. */
export function actionLines(parts: readonly ActionPart[]): string[] {
  return parts.flatMap((part) =>
    part.layout === 'line' && part.shown !== ''
      ? [`${labelOf(part)}: ${part.shown}`]
      : [`${labelOf(part)}:`, ...blockLines(part.shown)],
  );
}

/** The label with the number of lines of a block that has more or less than one. */
export function labelOf({ label, layout, shown }: Pick<ActionPart, 'label' | 'layout' | 'shown'>): string {
  if (shown === '') return `${label} (empty)`;
  const lines = layout === 'block' ? shown.split('\n').length : 1;
  return lines > 1 ? `${label} (${lines} lines)` : label;
}

/** Every string in the action, names of members included: where look-alikes are searched. */
export function stringsOf(value: JsonValue): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]: [string, JsonValue]) => [
    ...(Array.isArray(value) ? [] : [name]),
    ...stringsOf(member),
  ]);
}

function part({ label, layout, language }: Omit<KnownMember, 'name'>, value: string): ActionPart {
  const shown = layout === 'line' ? visibleLine(value) : visibleBlock(value);
  return { label, layout, shown, ...(language ? { language } : {}) };
}

/** Before and after of each edit; nothing when there are too many, or one has another shape. */
function editParts(edits: JsonValue | undefined): ActionPart[] {
  if (!Array.isArray(edits) || edits.length > MAX_EDITS_SIDE_BY_SIDE) return [];
  const known = edits.map((edit: JsonValue) => editOf(edit)).filter((edit) => edit !== undefined);
  if (known.length < edits.length) return [];
  return known.flatMap(({ before, after, extent }, i) => [
    part({ label: `Before, edit ${i + 1} of ${known.length}${extent}`, layout: 'block' }, before),
    part({ label: `After, edit ${i + 1} of ${known.length}${extent}`, layout: 'block' }, after),
  ]);
}

/** Each question with its options; nothing when there are too many, or one has another shape. */
function questionParts(value: JsonValue | undefined): ActionPart[] {
  if (!Array.isArray(value) || value.length > MAX_EDITS_SIDE_BY_SIDE) return [];
  const { data: questions } = questionSchema.array().safeParse(value);
  return (questions ?? []).flatMap(({ header, question, multiSelect, options }, i) => {
    const label = questions?.length === 1 ? 'Question' : `Question ${i + 1} of ${questions?.length}`;
    const choice = multiSelect ? 'Options, several may be chosen' : 'Options';
    // Each on a line of its own, so that none can pose as another.
    const lines = options.flatMap((option, n) => [
      `${n + 1}. ${option.label}`,
      ...(option.description === undefined ? [] : [`   ${option.description}`]),
      ...(option.preview === undefined ? [] : [`   ${option.preview}`]),
    ]);
    return [
      part({ label, layout: 'block' }, question),
      ...(header === undefined ? [] : [part({ label: 'Header', layout: 'line' }, header)]),
      { label: choice, layout: 'block' as const, shown: lines.map((line) => visibleLine(line)).join('\n') },
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
