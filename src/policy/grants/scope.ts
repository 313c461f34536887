import { sha256Hex, canonicalize } from '../../kernel/canonical-json';
import type { JsonValue } from '../../kernel/json';
import type { RuleMatch } from '../document/policy-schema';
import { compileRule, type CompiledRule } from '../evaluation/compile-policy';

/** The id of the rules that a grant adds to the policy. A document cannot have it: its ids have no colon. */
export const GRANT_RULE = 'grant:';

/** The matchers of one rule of a grant; key, session and tool are columns of the grant, compared as they are. */
export type ScopeMatch = Pick<RuleMatch, 'command' | 'cwd' | 'path' | 'except' | 'host'>;

/** The requests of one key and tool that a grant covers: one action, by its digest, or everything that these matchers prove. */
export type Scope =
  | { readonly kind: 'exact'; readonly inputDigest: string }
  | { readonly kind: 'matching'; readonly matches: readonly ScopeMatch[] };

/** Identifies a scope by its content, so that an offer is the same on every replica. */
export function scopeId(scope: Scope): string {
  return sha256Hex(canonicalize(scope as unknown as JsonValue)).slice(0, 12);
}

/** The rules that allow what a scope covers. One without matchers is for a single action, which its caller has compared. */
export function compileScope(scope: Scope): readonly CompiledRule[] {
  if (scope.kind === 'exact') return [{ ...compileRule(asRule(0, {})), isWhole: true }];
  return scope.matches.map((match, nth) => compileRule(asRule(nth, match)));
}

function asRule(nth: number, match: ScopeMatch) {
  return { id: `${GRANT_RULE}${nth}`, decision: 'allow' as const, match };
}
