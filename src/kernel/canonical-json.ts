import { hash } from 'node:crypto';
import type { JsonObject, JsonValue } from './json';

/**
 * Finds the escape that `JSON.stringify` writes for a lone surrogate and for nothing else: `\ud…` whose
 * backslash is not itself escaped.
 */
const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud/;

/**
 * The RFC 8785 form: no white space, keys sorted by UTF-16 code units, one spelling for every number.
 *
 * Recursive: meant for values that came through `parseStrictJson`, whose depth is bounded.
 *
 * Members that are undefined are left out, as `JSON.stringify` does.
 *
 * @throws TypeError for what has no such form: NaN, infinities, lone surrogates, undefined itself.
 */
export function canonicalize(value: JsonValue): string {
  const text = canonicalText(value);
  // The package writes lone surrogates as escapes; RFC 8785 section 3.2.2.2 wants an error.
  if (text.includes('\\ud') && LONE_SURROGATE.test(text)) {
    throw new TypeError('A lone surrogate has no canonical form.');
  }
  return text;
}

/**
 * Finds the objects and arrays that `JSON.stringify` writes otherwise than RFC 8785, because they hold an object whose
 * names are out of order; true when the value is one of them.
 *
 * @throws TypeError for a number without a form
 */
function findDisorder(value: unknown, disordered: Set<object>): boolean {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError('NaN has no canonical form.');
  if (typeof value !== 'object' || value === null) return false;
  let isDisordered = false;
  if (Array.isArray(value)) {
    for (const element of value) if (findDisorder(element, disordered)) isDisordered = true;
  } else {
    let last = '';
    for (const name of Object.keys(value)) {
      if (name < last) isDisordered = true;
      last = name;
      if (findDisorder(value[name as keyof typeof value], disordered)) isDisordered = true;
    }
  }
  if (isDisordered) disordered.add(value);
  return isDisordered;
}

/** Node.js writes what is in order, in a third of the time. */
function write(value: JsonValue, disordered: ReadonlySet<object>): string {
  if (typeof value !== 'object' || value === null || !disordered.has(value)) return JSON.stringify(value);
  if (isArray(value)) return `[${value.map((element) => write(element, disordered)).join(',')}]`;
  let members = '';
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member === undefined) continue;
    members += `${members === '' ? '' : ','}${JSON.stringify(name)}:${write(member, disordered)}`;
  }
  return `{${members}}`;
}

/** `Array.isArray` does not narrow readonly arrays. */
function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function canonicalText(value: JsonValue): string {
  const disordered = new Set<object>();
  findDisorder(value, disordered);
  const text = write(value, disordered) as string | undefined;
  if (text === undefined) throw new TypeError('undefined has no canonical form.');
  return text;
}

/** A text that is in canonical form already. */
export class CanonicalText {
  constructor(readonly text: string) {}
}

/**
 * The RFC 8785 form of an object, some of whose members are in canonical form already: a large one is written once.
 * Members that are undefined are left out.
 *
 * @throws TypeError as {@link canonicalize}
 */
export function canonicalObject(
  members: Readonly<Record<string, JsonValue | CanonicalText | undefined>>,
): string {
  let text = '';
  for (const name of Object.keys(members).sort()) {
    const member = members[name];
    if (member === undefined) continue;
    const form = member instanceof CanonicalText ? member.text : canonicalize(member);
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${form}`;
  }
  return `{${text}}`;
}

/** Lower-case hex SHA-256 of the bytes, or of the UTF-8 form of the text. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex');
}

/** What an approval is bound to: changing any of it changes the digest. */
export interface BoundInput {
  readonly toolName: string;
  readonly toolInput: JsonObject | CanonicalText;
  readonly cwd?: string | null | undefined;
}

/** `sha256:` and the hex SHA-256 of the RFC 8785 form of `{toolName, toolInput, cwd}`; `cwd` null when absent. */
export function inputDigest({ toolName, toolInput, cwd }: BoundInput): string {
  return `sha256:${sha256Hex(canonicalObject({ cwd: cwd ?? null, toolInput, toolName }))}`;
}
