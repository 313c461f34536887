import { DomainError } from '../../kernel/errors';
import type { Approval } from '../approval';
import type { ApprovalStore, Snapshot } from '../approval-store';

/** The requests that a caller may see: those made with one key, or all. */
export type Viewer = { readonly keyId: string } | 'everything';

export function mayView(viewer: Viewer, { keyId }: Pick<Approval, 'keyId'>): boolean {
  return viewer === 'everything' || viewer.keyId === keyId;
}

/** Other keys' requests must look the same as missing ones. */
export const notFound = () => new DomainError('approval.not-found', 'There is no approval with this id.');

/** Reads a whole request, with the turns of {@link ApprovalStore.find}. Rejects with `approval.not-found`. */
export async function findFor(
  viewer: Viewer,
  { store, id, gone }: { store: ApprovalStore; id: string; gone: AbortSignal | null },
): Promise<Snapshot> {
  const found = await store.find(id, viewer === 'everything' ? null : viewer.keyId, gone);
  if (!found || !mayView(viewer, found.approval)) throw notFound();
  return found;
}
