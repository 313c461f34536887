import type { z } from 'zod';
import type { Fault } from './finding';
import { policyJsonSchema } from './policy-schema';
import { similarName } from './similar-name';
import { unenforcedMember } from './unenforced';

type Issue = z.core.$ZodIssue;
type Path = readonly (string | number)[];

/** Describes issues of the schema for the author of the document, one fault after the other: there may be many. */
export function* faultsOf(issues: Iterable<Issue>): Generator<Fault> {
  for (const issue of issues) yield* faultsOfIssue(issue);
}

function* faultsOfIssue(issue: Issue): Generator<Fault> {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) yield unknownMember(path, key);
  } else if (issue.code === 'invalid_union') {
    if (issue.errors.length === 0) yield fault(path, issue.message);
    for (const inner of closestBranch(issue.errors))
      yield* faultsOfIssue({ ...inner, path: [...issue.path, ...inner.path] });
  } else yield faultOf(issue, path);
}

function faultOf(issue: Exclude<Issue, { code: 'unrecognized_keys' | 'invalid_union' }>, path: Path): Fault {
  switch (issue.code) {
    case 'invalid_key':
      return { ...fault(path, issue.issues[0]?.message ?? 'is not a valid name'), ofKey: true };
    case 'invalid_value':
      if (!issue.message.startsWith('Invalid')) return fault(path, issue.message);
      return fault(
        path,
        `must be ${listing(
          issue.values.map((value) => JSON.stringify(value)),
          'or',
        )}`,
      );
    case 'invalid_type':
      if (!issue.message.endsWith('undefined'))
        return fault(path, `must be ${TYPES[issue.expected] ?? issue.expected}`);
      return { ...fault(path, 'is missing'), fix: `Add \`${path.at(-1)}\`.` };
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'not_multiple_of':
    case 'too_big':
    case 'too_small':
      return fault(path, issue.message);
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text; put it in quotes',
  array: 'a list',
  object: 'an object with members',
  record: 'an object with members',
  boolean: 'true or false',
};

function fault(path: Path, message: string): Fault {
  const at = { severity: 'error', path } as const;
  // Words that already name the property are those of one that is not enforced.
  if (message.startsWith('`'))
    return { ...at, message, fix: 'Remove it, or install a version that enforces it.' };
  if (path.length === 0)
    return { ...at, message: `A policy ${message}.`, fix: 'Begin with `version: 1` and `rules:`.' };
  const name = path.findLast((part) => typeof part === 'string');
  return { ...at, message: `\`${name}\` ${message}.`, fix: `Correct \`${name}\`.` };
}

/** Of the shapes that a value may have, the one that it comes closest to has the deepest fault. */
function closestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  const depth = (issues: readonly Issue[]) =>
    Math.max(
      0,
      ...issues.map(
        ({ code, path }) => 2 * path.length + (code === 'invalid_type' && path.length === 0 ? 0 : 1),
      ),
    );
  return branches.toSorted((a, b) => depth(b) - depth(a))[0] ?? [];
}

function unknownMember(path: Path, key: string): Fault {
  const at = { severity: 'error', path: [...path, key], ofKey: true } as const;
  const later = path.length === 0 ? 'document' : path[0] === 'classes' ? 'class' : null;
  const words = later && unenforcedMember(later, key);
  if (words) return { ...at, ...words };
  const owner = path.findLast((part) => typeof part === 'string') ?? 'policy';
  const known = knownMembers(path);
  const similar = similarName(key, known);
  return {
    ...at,
    message: `\`${key}\` is not a member of \`${owner}\`.`,
    fix: similar ? `Write \`${similar}\`.` : `Remove it, or use ${listing(known, 'or')}.`,
  };
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

let schema: JsonSchema | null = null;

/** The members that the schema knows at a place. */
function knownMembers(path: Path): string[] {
  schema ??= policyJsonSchema();
  let places: readonly JsonSchema[] = [schema];
  for (const part of path) {
    places = places.flatMap(alternatives).flatMap(({ items, properties, additionalProperties }) => {
      const next = typeof part === 'number' ? items : (properties?.[part] ?? additionalProperties);
      return typeof next === 'object' ? [next] : [];
    });
  }
  return [
    ...new Set(places.flatMap(alternatives).flatMap(({ properties }) => Object.keys(properties ?? {}))),
  ];
}

function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  return schema.anyOf ? schema.anyOf.flatMap(alternatives) : [schema];
}

function listing(words: readonly string[], conjunction: 'and' | 'or'): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)}`;
}
