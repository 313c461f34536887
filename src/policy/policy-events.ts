import type { DoubtReason, PolicyDecision } from '../kernel/policy-verdict';

/** The giver of a verdict. `default`: no rule matched. */
export const POLICY_SOURCES = ['rule', 'grant', 'default'] as const;
export type PolicySource = (typeof POLICY_SOURCES)[number];

/** The policy has judged a request. In memory only. */
export class PolicyJudged {
  constructor(
    readonly decision: PolicyDecision,
    readonly source: PolicySource,
    /** The reason of the doubt, null: none. */
    readonly doubt: DoubtReason | null,
    readonly seconds: number,
  ) {}
}
