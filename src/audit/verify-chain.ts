import type { KeySet } from '../receipts/key-set';
import { readCheckpoint, type Checkpoint } from './audit-checkpoint';
import { ChainVerifier, type BadRow, type SealedRow } from './chain-verifier';

export interface ChainVerdict {
  /** Rows under a seal, as far as they were read. */
  readonly rows: number;
  /** The highest `seq` under a seal; null without any. */
  readonly sealedUpTo: number | null;
  readonly firstBad: BadRow | null;
}

/**
 * Reads the log in the order of its seals until the first row that does not hold.
 *
 * @param log.checkpoints compact JWS; one that none of the keys signed is as telling as a row that does not fit
 * @param progress called after every batch with the number of rows so far
 */
export async function verifyChain(
  log: {
    readonly batches: AsyncIterable<readonly SealedRow[]>;
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
      const reason = `a checkpoint is not signed by a known key: ${jws.slice(0, 100)}…`;
      return { rows: 0, sealedUpTo: null, firstBad: { seq: 0, reason } };
    }
  }
  const chain = new ChainVerifier(checkpoints);
  for await (const batch of log.batches) {
    if (!batch.every((each) => chain.take(each))) break;
    progress(chain.sealedRows);
  }
  chain.end();
  return { rows: chain.sealedRows, sealedUpTo: chain.sealedUpTo, firstBad: chain.firstBad };
}
