import { parse as parseToml, patch as patchToml } from '@decimalturn/toml-patch';
import { existsSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { applyEdits, modify, parse as parseJson, printParseErrorCode, type ParseError } from 'jsonc-parser';

type Path = readonly (string | number)[];

/** A part of a settings file that a gate needs. */
export type Want =
  /** A member with this value; `meaning` says what another value does. */
  | { readonly path: Path; readonly value: unknown; readonly meaning?: string }
  /** An entry of a list; `isOurs` recognises it, whatever its other members are. */
  | {
      readonly path: Path;
      readonly hook: Hook;
      readonly isOurs: (hook: Hook) => boolean;
      readonly matcher?: string;
    };

export type Hook = Readonly<Record<string, unknown>>;

/** One settings file of an agent, and what it needs. */
export interface SettingsFile {
  readonly path: string;
  readonly format: 'json' | 'toml';
  readonly wants: readonly Want[];
  /** Members that switch the gate off, or weaken it; only their owner takes them out. */
  readonly refuses?: readonly Refusal[];
}

export interface Refusal {
  readonly path: Path;
  readonly is: (value: unknown) => boolean;
  readonly meaning: string;
}

/** The settings of the user cannot be edited; the message says why and what to do. */
export class SettingsUnusable extends Error {
  override readonly name = 'SettingsUnusable';
}

/**
 * The text of a settings file; null if there is none.
 *
 * @throws SettingsUnusable, which names the file, where it cannot be read or is not UTF-8
 */
export function textOf(path: string): string | null {
  if (!existsSync(path)) return null;
  const bytes = bytesOf(path);
  const text = bytes.toString();
  if (Buffer.from(text).equals(bytes)) return text;
  throw new SettingsUnusable(`${path} is not UTF-8. Mend it, and run again`);
}

function bytesOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new SettingsUnusable(`${path} cannot be read`, { cause });
  }
}

/**
 * The file with all that it needs, and everything else as it was: comments, order and white space too.
 *
 * @param text null if there is no file
 * @throws SettingsUnusable if the file cannot be read, or an edit would not read back as meant
 */
export function edited(file: SettingsFile, text: string | null): string {
  const source = text ?? '';
  if (missing(file, source).length === 0) return source;
  const result = file.format === 'json' ? editedJson(file, source) : editedToml(file, source);
  const left = missing(file, result);
  if (left.length > 0)
    throw new SettingsUnusable(`${file.path} cannot be edited safely: ${left.join('; ')}. Edit it by hand`);
  return result;
}

/** The differences between a file and what the gate needs, each a sentence; none if it is in order. */
export function differences(file: SettingsFile, text: string | null): string[] {
  const value = valueOf(file, text ?? '');
  const refused = (file.refuses ?? []).flatMap(({ path, is, meaning }) =>
    is(at(value, path)) ? [`${path.join('.')} is ${shown(at(value, path))}: ${meaning}`] : [],
  );
  return [...missing(file, text ?? ''), ...refused];
}

function missing(file: SettingsFile, text: string): string[] {
  const value = valueOf(file, text);
  return file.wants.flatMap((want) => ('hook' in want ? ofHook(want, value) : ofMember(want, value)));
}

function editedJson(file: SettingsFile, source: string): string {
  const options = { formattingOptions: formattingOf(source) };
  let text = source;
  const put = (path: Path, value: unknown, isArrayInsertion = false): void => {
    try {
      text = applyEdits(text, modify(text, [...path], value, { ...options, isArrayInsertion }));
    } catch (cause) {
      throw new SettingsUnusable(`${file.path}: ${path.join('.')} cannot be set in it. Edit it by hand`, {
        cause,
      });
    }
  };
  for (const want of file.wants) {
    const value = valueOf(file, text);
    if (!('hook' in want)) {
      if (!isDeepStrictEqual(at(value, want.path), want.value)) put(want.path, want.value);
      continue;
    }
    if (ofHook(want, value).length === 0) continue;
    const entry = entryOf(want);
    const found = find(want, value);
    if (found === null) {
      const list = at(value, want.path);
      if (list === undefined) put(want.path, [entry]);
      else put([...want.path, (list as unknown[]).length], entry, true);
    } else if (want.matcher === undefined || found.others.length === 0)
      put([...want.path, found.group], entry);
    else if (found.matcher === want.matcher)
      put([...want.path, found.group, 'hooks', found.index], want.hook);
    else {
      // Hooks of others share its matcher, and keep it.
      put([...want.path, found.group, 'hooks'], found.others);
      put([...want.path, (at(value, want.path) as unknown[]).length], entry, true);
    }
  }
  return source.trim() === '' ? `${text.trimEnd()}\n` : text;
}

function editedToml(file: SettingsFile, source: string): string {
  const meant = structuredClone(valueOf(file, source));
  for (const want of file.wants) if (!('hook' in want)) put(meant, want.path, want.value);
  const result = `${patchToml(source, meant).trimEnd()}${source.includes('\r\n') ? '\r\n' : '\n'}`;
  const isAsMeant = isDeepStrictEqual(plain(parseToml(result)), plain(meant));
  // Trusted only as far as it is checked: a comment that it lost would be one of the user's.
  const comments = source
    .split(/\r?\n/)
    .flatMap((line) => (line.includes('#') ? line.slice(line.lastIndexOf('#')) : []));
  const lost = comments.find((comment) => !result.includes(comment));
  if (isAsMeant && lost === undefined) return result;
  throw new SettingsUnusable(
    `${file.path} cannot be edited safely. Edit it by hand, as the page of the agent says`,
  );
}

function put(object: Record<string, unknown>, path: Path, value: unknown): void {
  const [first = '', ...rest] = path;
  if (rest.length === 0) object[first] = value;
  else put((object[first] ??= {}) as Record<string, unknown>, rest, value);
}

/** Dates and the like of the library, as JSON has them. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each)));

/** @throws SettingsUnusable for a text that is not an object of its format */
function valueOf({ path, format }: SettingsFile, text: string): Record<string, unknown> {
  if (text.trim() === '') return {};
  const value = format === 'json' ? jsonOf(path, text) : tomlOf(path, text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new SettingsUnusable(`${path} does not hold an object. Mend it, and run again`);
}

function jsonOf(path: string, text: string): unknown {
  const errors: ParseError[] = [];
  const value: unknown = parseJson(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first === undefined) return value;
  const line = text.slice(0, first.offset).split('\n').length;
  throw new SettingsUnusable(
    `${path} is not JSON: ${printParseErrorCode(first.error)} in line ${line}. Mend it, and run again`,
  );
}

function tomlOf(path: string, text: string): unknown {
  try {
    return parseToml(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new SettingsUnusable(`${path} is not TOML: ${why}. Mend it, and run again`);
  }
}

function at(value: unknown, path: Path): unknown {
  let found = value;
  for (const name of path)
    found =
      typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[name] : undefined;
  return found;
}

type HookWant = Extract<Want, { hook: Hook }>;

const entryOf = ({ hook, matcher }: HookWant): unknown =>
  matcher === undefined ? hook : { ...(matcher !== '' && { matcher }), hooks: [hook] };

interface Found {
  readonly group: number;
  readonly index: number;
  readonly hook: Hook;
  readonly matcher: unknown;
  /** The other hooks of its group. */
  readonly others: readonly unknown[];
}

function find({ path, isOurs, matcher }: HookWant, value: unknown): Found | null {
  const list = at(value, path);
  if (!Array.isArray(list)) return null;
  for (const [group, entry] of (list as unknown[]).entries()) {
    if (typeof entry !== 'object' || entry === null) continue;
    const { hooks, matcher: its } = entry as { hooks?: unknown; matcher?: unknown };
    const all: readonly unknown[] = matcher === undefined ? [entry] : Array.isArray(hooks) ? hooks : [];
    const index = all.findIndex((hook) => typeof hook === 'object' && hook !== null && isOurs(hook as Hook));
    if (index === -1) continue;
    const others = all.filter((_, each) => each !== index);
    return { group, index, hook: all[index] as Hook, matcher: its ?? '', others };
  }
  return null;
}

function ofHook(want: HookWant, value: unknown): string[] {
  const name = want.path.join('.');
  const list = at(value, want.path);
  if (list !== undefined && !Array.isArray(list)) return [`${name} is not a list`];
  const found = find(want, value);
  if (found === null) return [`${name} has no hook of Countersign`];
  const matcher =
    want.matcher === undefined || found.matcher === want.matcher
      ? []
      : [`${name}: the hook is for ${shown(found.matcher)} only, not for ${shown(want.matcher)}`];
  return [...matcher, ...leaves(want.hook, found.hook, name)];
}

function ofMember({ path, value: wanted, meaning }: Exclude<Want, HookWant>, value: unknown): string[] {
  const because = meaning === undefined ? '' : `: ${meaning}`;
  return leaves(wanted, at(value, path), path.join('.')).map((each) => each + because);
}

/** The members of `wanted` that `actual` has otherwise, and those that it has beside them. */
function leaves(wanted: unknown, actual: unknown, name: string): string[] {
  if (isDeepStrictEqual(plain(wanted ?? null), plain(actual ?? null))) return [];
  if (!isObject(wanted) || !isObject(actual)) {
    if (actual === undefined) return [`${name} is missing`];
    if (wanted === undefined) return [`${name} is ${shown(actual)}, which does not belong there`];
    return [`${name} is ${shown(actual)}, not ${shown(wanted)}`];
  }
  const names = new Set([...Object.keys(wanted), ...Object.keys(actual)]);
  return [...names].flatMap((each) => leaves(wanted[each], actual[each], `${name}.${each}`));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A key in a header is left out: the sentences go to logs. */
const shown = (value: unknown): string =>
  value === undefined ? 'missing' : JSON.stringify(value).replace(/\bBearer [^$"\s][^"\s]*/g, 'Bearer …');

function formattingOf(text: string): { tabSize: number; insertSpaces: boolean; eol: string } {
  const indent = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  ';
  return {
    tabSize: indent.startsWith('\t') ? 1 : indent.length,
    insertSpaces: !indent.startsWith('\t'),
    eol: text.includes('\r\n') ? '\r\n' : '\n',
  };
}
