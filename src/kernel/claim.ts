import type { NamedActor } from './actor';

/** `claimed`: a person is on it. `snoozed`: they come back to it when it ends. Neither decides anything. */
export type ClaimKind = 'claimed' | 'snoozed';

/** A person who says that they are on a request, or come back to it later. Its chain waits meanwhile. */
export interface Claim {
  readonly kind: ClaimKind;
  readonly by: NamedActor;
  /** Name of the person in the policy; null: it names nobody. */
  readonly person: string | null;
  readonly at: Date;
  readonly until: Date;
}

/** A person who gave a request more time. */
export type Extension = Pick<Claim, 'by' | 'person' | 'at'>;

/** The name under which people know the person of a claim or an extension. */
export const nameOfClaimer = ({ person, by }: Pick<Claim, 'person' | 'by'>): string => person ?? by.name;
