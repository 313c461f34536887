import type { Actor } from './actor';
import type { PolicyDecision } from './policy-verdict';

/** The differences of two versions of the policy, as counts. */
export interface PolicyChange {
  readonly added: Readonly<Record<PolicyDecision, number>>;
  readonly removed: Readonly<Record<PolicyDecision, number>>;
  /** Rules that differ. */
  readonly changed: number;
  /** Other members of the document that differ. */
  readonly others: number;
  /** True if the change widens the policy. */
  readonly widens: boolean;
}

interface VersionNews {
  readonly by: Actor;
  /** `sha256:` and the hex SHA-256 of the document. */
  readonly version: string;
  /** The version before; null: none. */
  readonly replaces: string | null;
  readonly change: PolicyChange;
  /** The reason that its author gave; null: none. */
  readonly comment: string | null;
}

/** Requests that ended in an interval. */
export interface DecisionCounts {
  /** Approved by a rule. */
  readonly allowed: number;
  /** The rules that allowed most, most first. */
  readonly rules: readonly { readonly rule: string; readonly count: number }[];
  readonly byGrant: number;
  /** Rejected by a rule. */
  readonly denied: number;
  /** Approved and rejected by people. */
  readonly approved: number;
  readonly rejected: number;
  readonly expired: number;
  readonly cancelled: number;
  /** Median time until a person answered; null: nobody answered. */
  readonly medianSeconds: number | null;
}

/** Causes of a warning about a person: more decisions an hour, or faster ones, than anybody reads. */
export const FATIGUE_CAUSES = ['many', 'fast'] as const;
export type FatigueCause = (typeof FATIGUE_CAUSES)[number];

/** Decisions of people in a week. */
export interface WeekOfDecisions {
  readonly decisions: number;
  /** Median time of a decision; null: none. */
  readonly medianSeconds: number | null;
  /** Those who decided most, most first. */
  readonly people: readonly {
    readonly person: string;
    readonly decisions: number;
    readonly medianSeconds: number;
  }[];
  /** Requests that nobody decided in time. */
  readonly unanswered: number;
}

/** Something that operators learn in every lane, without a card. A channel composes the text. */
export type News =
  | (VersionNews & {
      readonly event: 'policy-applied';
      readonly cause: 'apply' | 'rollback' | 'file';
      /** Name of the key that proposed it; null: nobody did. */
      readonly proposedBy: string | null;
      /** True if it was applied although `POLICY_FILE` is set. */
      readonly overrides: boolean;
    })
  /** `proposal` is the id that a second person approves. */
  | (VersionNews & { readonly event: 'policy-proposed'; readonly proposal: string })
  | { readonly event: 'policy-stopped' | 'policy-resumed'; readonly by: Actor }
  /**
   * `scope`: what was granted, in words; `maxUses` null: as many as there is time for; `cwd`: the directory in place of the
   * session, absent in news of an earlier version.
   */
  | {
      readonly event: 'grant-made';
      readonly by: Actor;
      readonly scope: string;
      readonly keyId: string;
      readonly seconds: number;
      readonly maxUses: number | null;
      readonly cwd?: string | null;
    }
  | { readonly event: 'grant-revoked'; readonly by: Actor; readonly scope: string; readonly uses: number }
  /** A grant was used so often within a minute. `madeBy`: the name of its maker. */
  | {
      readonly event: 'grant-alarm';
      readonly scope: string;
      readonly keyId: string;
      readonly madeBy: string;
      readonly uses: number;
    }
  /** `by` and `invitedBy` as the audit log names actors; `invitedBy` null: the person, who had a passkey. */
  | {
      readonly event: 'passkey-made';
      readonly person: string;
      readonly invitedBy: string | null;
    }
  | { readonly event: 'passkey-revoked'; readonly by: string; readonly person: string }
  /** For leads: a person decided `decisions` requests within an hour; the median is of the last 20. */
  | {
      readonly event: 'fatigue';
      readonly person: string;
      readonly cause: FatigueCause;
      readonly decisions: number;
      readonly medianSeconds: number;
    }
  /** For leads: the week that ended then, in milliseconds since 1970. */
  | { readonly event: 'week'; readonly toMs: number; readonly week: WeekOfDecisions }
  /** The digest of an interval, in milliseconds since 1970. */
  | {
      readonly event: 'digest';
      readonly fromMs: number;
      readonly toMs: number;
      readonly counts: DecisionCounts;
    };

/** News with their time, in milliseconds since 1970. */
export type Announcement = News & { readonly atMs: number };
