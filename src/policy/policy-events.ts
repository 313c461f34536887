import type { DoubtReason, PolicyDecision } from '../kernel/policy-verdict';

/** The active version, or whether its rules are stopped, has changed by a call to this replica. In memory only. */
export class PolicyChanged {
  constructor(
    readonly change: 'applied' | 'stopped' | 'resumed',
    /** The actor, as the audit log names it. */
    readonly by: string,
    readonly version: string | null,
  ) {}
}

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
