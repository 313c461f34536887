import type { Rule, RuleMatch } from '../document/policy-schema';
import type { PolicyRequest } from '../evaluation/policy-request';

/** More directories than these are not the habit of a project. */
const MAX_PLACES = 20;

/** A rule that saves fewer cards, and a place, host or tool that was approved less often, is not a habit. */
export const MIN_USES = 3;

/** A rule that may be suggested. */
export interface Candidate {
  readonly rule: Rule;
  readonly tools: ReadonlySet<string>;
  /** The command word that a line must have for the rule to matter; null for tools without commands. */
  readonly command: string | null;
}

/** The keys and directories of these requests and no others; null if they are too many, or one names no directory. */
export function askers(requests: readonly PolicyRequest[]): Pick<RuleMatch, 'key' | 'cwd'> | null {
  const keys = distinct(requests.map(({ key }) => key));
  const places = distinct(requests.map(({ cwd }) => cwd));
  if (places.length > MAX_PLACES || keys.length > MAX_PLACES) return null;
  const cwd = places.filter((place) => place !== null && /^\/[^*?[\]{}()!@+\\]+$/.test(place));
  if (cwd.length < places.length) return null;
  return { key: keys, cwd: cwd as string[] };
}

/** The values, sorted, each once. */
export function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)].toSorted();
}

/** The values in groups, in their order. */
export function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group === undefined) groups.set(keyOf(value), [value]);
    else group.push(value);
  }
  return groups;
}

/** A part of a rule's id. */
export function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, 50);
}
