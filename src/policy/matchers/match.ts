import type { DoubtReason } from '../../kernel/policy-verdict';

/** The reason why a matcher cannot tell. */
export interface Doubt {
  readonly reason: DoubtReason;
  readonly words: string;
}

/**
 * The result of a matcher. `missing`: the request does not have what the matcher reads, which counts as a match where a
 * rule asks or denies, and as none where it allows. A doubt never allows and never denies: it asks.
 */
export type Match = boolean | 'missing' | Doubt;

/** The first of: a match, a missing member, a doubt, no match. */
export function anyOf(matches: readonly Match[]): Match {
  return matches.find((match) => match === true) ?? matches.find((match) => match !== false) ?? false;
}

/** The first of: no match, a doubt, a missing member, a match. */
export function allOf(matches: readonly Match[]): Match {
  return (
    matches.find((match) => match === false) ??
    matches.find((match) => typeof match === 'object') ??
    matches.find((match) => match === 'missing') ??
    true
  );
}
