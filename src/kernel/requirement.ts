import type { NamedActor } from './actor';

/** The decisions that an approval needs, where that is not one of any operator. */
export interface Requirement {
  /** Number of different people who must approve. */
  readonly approvals: number;
  /** Groups whose members count; null: everybody whom the policy names. */
  readonly from: readonly string[] | null;
  /** Number of different people whose rejection ends it. */
  readonly rejections: number;
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
}
