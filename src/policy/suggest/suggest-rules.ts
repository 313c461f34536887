import type { Policy, Rule } from '../document/policy-schema';
import type { ToolShapes } from '../tool-shapes';
import { MIN_USES } from './candidate';
import type { DecidedRequest } from './decided-request';
import { Replay } from './replay';

const MAX_SUGGESTIONS = 15;

/** A rule and its replay on the history. */
export interface Suggestion {
  readonly rule: Rule;
  /** Approvals that the policy would have given with this rule and those before it, and not without this one. */
  readonly saves: number;
}

export interface Suggestions {
  readonly approvals: number;
  /** Approvals that the policy would have given already. */
  readonly allowedBefore: number;
  readonly suggestions: readonly Suggestion[];
}

/**
 * Finds the narrowest rules that would have saved the most cards, most first. Each names the keys and directories that asked,
 * and nothing that people rejected would have been allowed. Rules that need each other, as for `git log | head`, follow each
 * other.
 *
 * @param policy the active policy, to which the rules would be added
 */
export function suggestRules(
  history: readonly DecidedRequest[],
  shapes: ToolShapes,
  policy: Policy = { version: 1, rules: [] },
): Suggestions {
  const replay = new Replay(history, shapes, policy);
  const suggestions: Suggestion[] = [];
  const gains = new Map(replay.candidates().map((candidate) => [candidate, replay.gain([], candidate)]));
  while (suggestions.length < MAX_SUGGESTIONS) {
    const [best] = [...gains].toSorted(([, a], [, b]) => b - a);
    if (best === undefined || best[1] < MIN_USES) break;
    const [candidate, saves] = best;
    gains.delete(candidate);
    const before = suggestions.map(({ rule }) => rule);
    if (replay.allowsRejected(before, candidate)) continue;
    suggestions.push({ rule: candidate.rule, saves });
    const rules = [...before, candidate.rule];
    const neighbours = replay.neighbours(candidate, [...gains.keys()]);
    replay.settle(rules, candidate);
    for (const neighbour of neighbours) gains.set(neighbour, replay.gain(rules, neighbour));
  }
  const { approvals, allowedBefore } = replay;
  return { approvals, allowedBefore, suggestions };
}
