import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { ACP_TOOLS } from '../../kernel/acp-tools';
import type { JsonObject, JsonValue } from '../../kernel/json';
import type { SentToolCall } from './permission-request';

/** The action that operators decide on and that the receipt is bound to. */
export interface AcpAction {
  readonly toolName: string;
  readonly toolInput: JsonObject;
  readonly cwd: string;
}

interface Diff {
  readonly path: string;
  /** Left out for a new file. */
  readonly oldText?: string;
  readonly newText: string;
  /** Members that this version does not know. */
  readonly [name: string]: JsonValue;
}

/** The note by which adapters say whether a file is new; other notes could change what the edit does. */
const plainMeta = z.strictObject({ kind: z.string() });

const diffSchema = z.looseObject({
  type: z.literal('diff'),
  path: z.string(),
  oldText: z.string().nullish(),
  newText: z.string(),
});

/** Names under which agents send the path of an edited file once more. */
const PATH_MEMBERS = new Set(['path', 'filePath', 'filepath', 'file_path', 'fileName', 'file_name']);
/** Names under which they send the texts of the edit once more. */
const TEXT_MEMBERS = new Set(
  `content diff patch new_string newString newText new_str old_string oldString oldText old_str file_text
   replace_all replaceAll`
    .trim()
    .split(/\s+/),
);

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The call after a later message about it: what that names replaces what was known, the raw input as a whole. */
export function updateCall(known: SentToolCall | undefined, later: SentToolCall): SentToolCall {
  if (known === undefined) return later;
  return {
    ...{ toolCallId: later.toolCallId, rawInput: later.rawInput ?? known.rawInput },
    ...{ title: later.title ?? known.title, kind: later.kind ?? known.kind },
    ...{ name: later.name ?? known.name, content: later.content ?? known.content },
    locations: later.locations ?? known.locations,
  };
}

/**
 * The call that a question is about. Members of the raw input that the question leaves out are taken from the announcement.
 *
 * @returns null if the two contradict each other: nobody can tell which of them the agent would run
 */
export function mergeCalls(announced: SentToolCall | undefined, asked: SentToolCall): SentToolCall | null {
  const content = mergeContent(listOf(announced?.content), listOf(asked.content));
  if (content === null) return null;
  const call = { ...updateCall(announced, asked), content };
  const [before, now] = [announced?.rawInput ?? null, asked.rawInput ?? null] as [JsonValue, JsonValue];
  if (!isAction(before) || isDeepStrictEqual(before, now)) return call;
  if (!isAction(now)) return { ...call, rawInput: before };
  if (!isObject(before) || !isObject(now)) return null;
  const isSame = (name: string): boolean =>
    !Object.hasOwn(before, name) || isDeepStrictEqual(before[name], now[name]);
  return Object.keys(now).every(isSame) ? { ...call, rawInput: { ...before, ...now } } : null;
}

/**
 * Everything that either of the two sent, each entry once.
 *
 * @returns null if both have diffs that differ
 */
function mergeContent(before: readonly JsonValue[], now: readonly JsonValue[]): JsonValue[] | null {
  const [old, asked] = [before, now].map((list) => list.filter((entry) => diffOf(entry) !== null));
  if (old?.length && asked?.length && !isDeepStrictEqual(old, asked)) return null;
  const missing = before.filter((entry) => !now.some((other) => isDeepStrictEqual(entry, other)));
  return [...missing, ...now];
}

/** Zod has checked that it is a list; the entries come from JSON. */
const listOf = (list: readonly unknown[] | null | undefined): JsonValue[] => (list ?? []) as JsonValue[];

/**
 * Makes the action of a call: its raw input, its diffs and its locations. Its title and its kind do not name an action; a
 * kind only keeps a call from being taken for a command or a fetch.
 *
 * @returns null if the agent did not send the action
 */
export function actionOf(call: SentToolCall, sessionCwd: string): AcpAction | null {
  // Zod has checked these; the values come from JSON.
  const raw = (call.rawInput ?? null) as JsonValue;
  const all = listOf(call.content);
  const locations = (call.locations ?? []) as JsonValue[];
  const diffs = all.flatMap((entry) => diffOf(entry) ?? []);
  const content = all.filter((entry) => diffOf(entry) === null);
  if (diffs.length === 0 && !isAction(raw)) return null;
  const rest = { raw, content, locations };
  return (
    edit(diffs, rest, sessionCwd) ??
    (diffs.length > 0 ? null : (command(call, rest, sessionCwd) ?? fetch(call, rest, sessionCwd))) ?? {
      toolName: ACP_TOOLS.other,
      toolInput: {
        ...(raw === null ? {} : { rawInput: raw }),
        ...ifAny('diffs', diffs),
        ...ifAny('content', content),
        ...ifAny('locations', locations),
      },
      cwd: sessionCwd,
    }
  );
}

interface Rest {
  readonly raw: JsonValue;
  readonly content: readonly JsonValue[];
  readonly locations: readonly JsonValue[];
}

/** One file with its text before and after, where everything else that was sent is about that change. */
function edit(diffs: readonly Diff[], { raw, content, locations }: Rest, cwd: string): AcpAction | null {
  const [diff, ...others] = diffs;
  if (!diff || others.length > 0 || content.length > 0 || !isPlain(diff)) return null;
  const isSame = (path: JsonValue | undefined): boolean =>
    typeof path === 'string' && resolve(cwd, path) === resolve(cwd, diff.path);
  if (!locations.every((place) => isPlace(place) && isSame(place.path))) return null;
  const members = raw === null ? {} : raw;
  if (!isObject(members)) return null;
  const repeats = Object.entries(members).every(([name, value]) =>
    PATH_MEMBERS.has(name) ? isSame(value) : TEXT_MEMBERS.has(name),
  );
  if (!repeats) return null;
  const toolInput = {
    ...diff,
    ...(Object.keys(members).length === 0 ? {} : { rawInput: members }),
    ...(locations.every(isOnlyPath) ? {} : { locations: [...locations] }),
  };
  return { toolName: ACP_TOOLS.edit, toolInput, cwd };
}

/** True for a place that names its file, perhaps a line, and nothing else. */
const isPlace = (place: JsonValue): place is JsonObject =>
  isObject(place) &&
  Object.entries(place).every(([name, value]) => name === 'path' || name === 'line' || value === null);

const isOnlyPath = (place: JsonValue): place is JsonObject => isPlace(place) && (place.line ?? null) === null;

function command(
  call: SentToolCall,
  { raw, content, locations }: Rest,
  sessionCwd: string,
): AcpAction | null {
  if (call.kind !== 'execute' || content.length > 0 || !isObject(raw) || typeof raw.command !== 'string')
    return null;
  const within = [raw.cwd, raw.workdir].filter((directory) => directory !== undefined);
  if (within.length > 1 || !within.every((directory) => typeof directory === 'string')) return null;
  const cwd = resolve(sessionCwd, within[0] ?? '');
  if (!locations.every((place) => isOnlyPath(place) && place.path === cwd)) return null;
  return { toolName: ACP_TOOLS.execute, toolInput: raw, cwd };
}

function fetch(call: SentToolCall, { raw, content, locations }: Rest, cwd: string): AcpAction | null {
  if (call.kind !== 'fetch' || content.length + locations.length > 0) return null;
  if (!isObject(raw) || typeof raw.url !== 'string') return null;
  return { toolName: ACP_TOOLS.fetch, toolInput: raw, cwd };
}

/** Reads the entry itself: what the schema gives back would lack a member of the name `__proto__`. */
const isDiff = (entry: JsonValue): entry is JsonObject & z.infer<typeof diffSchema> =>
  diffSchema.safeParse(entry).success;

const withoutType = ({ type: _, ...members }: JsonObject & z.infer<typeof diffSchema>) => members;

function diffOf(entry: JsonValue): Diff | null {
  if (!isDiff(entry)) return null;
  const { path, oldText, newText, ...others } = withoutType(entry);
  return { ...others, path, ...(typeof oldText === 'string' ? { oldText } : {}), newText };
}

/** True if the diff changes the text of its file and nothing else, so that a rule may allow it by its path. */
function isPlain({ path: _path, oldText: _old, newText: _new, _meta: meta, ...others }: Diff): boolean {
  return (
    Object.keys(others).length === 0 &&
    (meta === undefined || meta === null || plainMeta.safeParse(meta).success)
  );
}

/** True for a value that says more than nothing. */
function isAction(raw: JsonValue): boolean {
  if (raw === null || raw === '') return false;
  return typeof raw !== 'object' || Object.keys(raw).length > 0;
}

function ifAny(name: string, list: readonly JsonValue[]): JsonObject {
  return list.length === 0 ? {} : { [name]: [...list] };
}
