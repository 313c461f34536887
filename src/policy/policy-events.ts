import type { DoubtReason, PolicyDecision } from '../kernel/policy-verdict';

/** The policy has judged a request. In memory only. */
export class PolicyJudged {
  constructor(
    readonly decision: PolicyDecision,
    /** False if no rule matched. */
    readonly byRule: boolean,
    /** The reason of the doubt, null: none. */
    readonly doubt: DoubtReason | null,
    readonly seconds: number,
  ) {}
}
