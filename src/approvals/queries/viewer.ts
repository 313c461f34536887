import { DomainError } from '../../kernel/errors';
import type { ApprovalStore, Snapshot } from '../approval-store';
import { mayView, type Viewer } from '../../kernel/viewer';

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
