import type { NamedActor } from './actor';
import type { SignedDecision } from './passkey-statement';

/** The decisions that an approval needs, where that is not one of any operator. */
export interface Requirement {
  /** Number of different people who must approve. */
  readonly approvals: number;
  /** Lists of groups: a person who counts is in a group of each. Empty: everybody whom the policy names. */
  readonly from: readonly (readonly string[])[];
  /** Number of different people whose rejection ends it. */
  readonly rejections: number;
  /** An approval counts only with the signature of its person's passkey, which the console asks for. */
  readonly via?: 'console';
}

/** False if everybody may decide, and so everybody sees the request. */
export const isForGroups = (required: Requirement | null): boolean =>
  required !== null && required.from.length > 0;

export const needsPasskey = ({ via }: Requirement): boolean => via === 'console';

/** The strictest of several requirements, member by member; null: of none. */
export function strictest(all: readonly Requirement[]): Requirement | null {
  if (all.length === 0) return null;
  return {
    approvals: Math.max(...all.map(({ approvals }) => approvals)),
    rejections: Math.min(...all.map(({ rejections }) => rejections)),
    from: all.flatMap(({ from }) => from),
    ...(all.some(needsPasskey) && { via: 'console' }),
  };
}

/** The decision of one person about a request, and the person for whom it counts. */
export interface PersonsDecision {
  readonly by: NamedActor;
  /** Name of the person in the active policy; null: it does not count, or not any more. */
  readonly person: string | null;
  readonly verdict: 'approved' | 'rejected';
  readonly reason: string | null;
  readonly at: Date;
  /** Digest of the card that this person saw; null: there was none. */
  readonly displayDigest: string | null;
  /** The signature of the person's passkey; null: signed by none. */
  readonly signed: SignedDecision | null;
}

/** The groups in words: “sre or leads”, “finance, and leads”; empty: no groups are required. */
export function groupsInWords({ from }: Requirement): string {
  return from.map((groups) => groups.join(' or ')).join(', and ');
}
