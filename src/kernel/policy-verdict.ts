export const POLICY_DECISIONS = ['allow', 'deny', 'ask'] as const;

export type PolicyDecision = (typeof POLICY_DECISIONS)[number];

/** The reasons of a doubt. `stopped`: a person has suspended the rules that allow; `question`: a rule has no answer. */
export const DOUBT_REASONS = [
  'command',
  'path',
  'url',
  'input',
  'condition',
  'limit',
  'error',
  'stopped',
  'question',
] as const;

export type DoubtReason = (typeof DOUBT_REASONS)[number];

interface Ruling {
  readonly decision: PolicyDecision;
  /** Ids of the rules that decided; empty: no rule matched. */
  readonly rules: readonly string[];
  /** The class of a request that a person is asked about; null for others. */
  readonly class: string | null;
  /** The words of the command that matched. */
  readonly tokens: readonly string[];
  /** The words of a denial for the agent. */
  readonly say: string | null;
  /** The reason why a person is asked although a rule might have answered. */
  readonly doubt: { readonly reason: DoubtReason; readonly words: string } | null;
}

/** The verdict of one policy version about one request. It is stored with the request, and its receipt names it. */
export interface PolicyVerdict extends Ruling {
  /** `sha256:` and the hex SHA-256 of the policy document. */
  readonly version: string;
  /** The verdict if rules in shadow mode were enforced; null: it would be the same. */
  readonly shadow: Ruling | null;
  /** True if every decision must give its reason; missing: a reason is optional. */
  readonly needsReason?: true;
  /** The time for which a claim delays the chain; missing: the request has no chain. */
  readonly claimSeconds?: number;
  /** The longest time until it ends if people give it more; missing: that of the installation. */
  readonly maximumSeconds?: number;
}
