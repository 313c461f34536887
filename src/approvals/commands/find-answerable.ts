import type { Receipts } from '../../receipts/receipts';
import type { ApprovalStore, Snapshot } from '../approval-store';
import { findFor } from '../queries/viewer';
import type { Viewer } from '../../kernel/viewer';
import { withReceipts } from '../receipts-of';

/**
 * Reads a request as {@link findFor} does, and signs its receipt if it has settled without one: its caller is answered
 * with it, or with a refusal that carries it.
 */
export async function findAnswerable(
  viewer: Viewer,
  { receipts, ...read }: { store: ApprovalStore; receipts: Receipts; id: string; gone: AbortSignal | null },
): Promise<Snapshot> {
  const found = await findFor(viewer, read);
  const [complete = found] = await withReceipts([found], (missing) => receipts.issue(missing));
  return complete;
}
