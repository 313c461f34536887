import type { PolicyChange } from '../../kernel/announcement';
import type { PolicyDecision } from '../../kernel/policy-verdict';
import type { Policy, Rule } from '../document/policy-schema';
import { diffPolicies } from './diff';
import { isWidening } from './widening';

/** @param active null: no policy was ever applied */
export function policyChange(active: Policy | null, next: Policy): PolicyChange {
  const { added, removed, changed, others } = diffPolicies(active ?? { version: 1, rules: [] }, next);
  return {
    added: byDecision(added),
    removed: byDecision(removed),
    changed: changed.length,
    others: others.length,
    widens: isWidening(active, next),
  };
}

function byDecision(rules: readonly Rule[]): Record<PolicyDecision, number> {
  const count = (wanted: PolicyDecision) => rules.filter(({ decision }) => decision === wanted).length;
  return { allow: count('allow'), deny: count('deny'), ask: count('ask') };
}
