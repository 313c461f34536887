import { abbreviate } from '../kernel/cut-text';
import type { KeySet } from '../receipts/key-set';
import { sealHash } from './audit-chain';
import { readCheckpoint, type Checkpoint } from './audit-checkpoint';
import type { SealedRow } from './seal';
import { walkChain, type ChainVerdict, type ReadBatches } from './walk-chain';

const hashOf = ({ seal, row }: SealedRow): string | null => row && sealHash(seal.number, seal.previous, row);

/**
 * Verifies the log and its checkpoints, as {@link walkChain} does.
 *
 * @param log.checkpoints compact JWS; one without a valid signature is a fault like an altered row
 * @param progress called after every batch with the number of rows so far
 */
export async function verifyChain(
  log: {
    readonly batches: ReadBatches;
    readonly checkpoints: readonly string[];
    readonly keys: KeySet;
  },
  progress: (rows: number) => void = () => undefined,
): Promise<ChainVerdict> {
  const checkpoints: Checkpoint[] = [];
  for (const jws of log.checkpoints) {
    try {
      checkpoints.push(await readCheckpoint(jws, log.keys));
    } catch {
      const reason = `a checkpoint is not signed by a known key: ${abbreviate(jws, 100)}`;
      return { rows: 0, sealedUpTo: null, checkpoints: 0, uncovered: 0, firstBad: { seq: 0, reason } };
    }
  }
  const { batches } = log;
  return walkChain({ batches, checkpoints, hashesOf: (batch) => batch.map(hashOf) }, progress);
}
