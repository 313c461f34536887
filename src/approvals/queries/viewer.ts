import { isOidcAccount, type Identity } from '../../access/identity';
import { personOf } from '../../access/known-person';
import type { Person } from '../../kernel/actor';
import { DomainError } from '../../kernel/errors';
import type { Approval } from '../approval';
import type { ApprovalStore, Snapshot } from '../approval-store';

/** An operator who reads: sees the requests that the policy sends to their groups (ADR 60). */
export interface Reader {
  /** The owner of the key or session, in lower case; empty: it belongs to nobody. */
  readonly person: string;
  /** False for a session that an OpenID provider opened: it is never an admin's. */
  readonly mayBeAdmin: boolean;
}

/** The requests that a caller may see: those made with one key, those that a person sees, or all. */
export type Viewer = { readonly keyId: string } | Reader | 'everything';

export const readerOf = ({ owner, keyId }: Pick<Identity, 'owner' | 'keyId'>): Reader => ({
  person: personOf(owner ?? ''),
  mayBeAdmin: !isOidcAccount(keyId),
});

/** A person whom a channel authenticated, by the name that the policy has for them. */
export const readerNamed = ({ name }: Pick<Person, 'name'>): Reader => ({
  person: personOf(name),
  mayBeAdmin: true,
});

/** An agent sees the requests of its own key. */
export const viewerOf = (caller: Identity): Viewer =>
  caller.role === 'agent' ? { keyId: caller.keyId } : readerOf(caller);

/** The person who reads; null: everybody's requests are read, or those of a key. */
export const readerIn = (viewer: Viewer): Reader | null =>
  viewer !== 'everything' && 'person' in viewer ? viewer : null;

export function mayView(viewer: Viewer, { keyId }: Pick<Approval, 'keyId'>): boolean {
  return viewer === 'everything' || !('keyId' in viewer) || viewer.keyId === keyId;
}

/** Requests that the caller may not see must look the same as missing ones. */
export const notFound = () => new DomainError('approval.not-found', 'There is no approval with this id.');

/** Reads a whole request, with the turns of {@link ApprovalStore.find}. Rejects with `approval.not-found`. */
export async function findFor(
  viewer: Viewer,
  { store, id, gone }: { store: ApprovalStore; id: string; gone: AbortSignal | null },
): Promise<Snapshot> {
  const found = await store.find(id, viewer, gone);
  if (!found || !mayView(viewer, found.approval)) throw notFound();
  return found;
}
