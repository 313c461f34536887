import type { Shown } from '../receipts/receipts';
import { isSettled, type Approval } from './approval';

interface Read {
  readonly approval: Approval;
  readonly displayDigest: string | null;
}

/**
 * Completes settled approvals with their receipts: without one, no caller gets an answer. `sign` makes the missing ones
 * in one go.
 */
export async function withReceipts<Each extends Read>(
  all: readonly Each[],
  sign: (missing: readonly Shown[]) => Promise<ReadonlyMap<string, string>>,
): Promise<readonly Each[]> {
  const missing = all.flatMap(({ approval, displayDigest }) =>
    isSettled(approval) && approval.receipt === null ? [{ approval, displayDigest }] : [],
  );
  if (missing.length === 0) return all;
  const receipts = await sign(missing);
  return all.map((each) => {
    const receipt = receipts.get(each.approval.id);
    return receipt === undefined ? each : { ...each, approval: { ...each.approval, receipt } };
  });
}
