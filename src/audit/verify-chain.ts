import { abbreviate } from '../kernel/cut-text';
import type { KeySet } from '../receipts/key-set';
import { readCheckpoint, type Checkpoint } from './audit-checkpoint';
import { ChainVerifier, type BadRow, type SealedRow } from './chain-verifier';

export interface ChainVerdict {
  /** Rows under a seal, as far as they were read. */
  readonly rows: number;
  /** The highest `seq` under a seal; null without any. */
  readonly sealedUpTo: number | null;
  /** Checkpoints that were compared with the log and fit. */
  readonly checkpoints: number;
  /** Sealed rows after the last of those checkpoints: they could be rewritten, with all their seals, unnoticed. */
  readonly uncovered: number;
  readonly firstBad: BadRow | null;
}

/** Reads the log from its beginning, in the order of its seals; each call reads anew. */
export type ReadBatches = () => AsyncIterable<readonly SealedRow[]>;

/** Retention removed rows while they were being read. */
export class RemovedMeanwhile extends Error {
  override readonly name = 'RemovedMeanwhile';

  constructor() {
    super('old rows were removed by retention while they were read: try again');
  }
}

/** @throws RemovedMeanwhile if rows are missing between two batches, and all rows read before are gone too. */
export async function* unlessRemoved(batches: ReadBatches): AsyncGenerator<readonly SealedRow[]> {
  let read = 0;
  for await (const batch of batches()) {
    const [next] = batch;
    if (read > 0 && next && next.seal.number > read + 1 && (await beginsAfter(read, batches)))
      throw new RemovedMeanwhile();
    yield batch;
    read = batch.at(-1)?.seal.number ?? read;
  }
}

async function beginsAfter(number: number, batches: ReadBatches): Promise<boolean> {
  for await (const [first] of batches()) return first !== undefined && first.seal.number > number;
  return false;
}

/**
 * Verifies the log in the order of its seals, up to the first fault. Starts again if retention removed rows beyond
 * those already read.
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
  for (;;) {
    const chain = new ChainVerifier(checkpoints);
    try {
      for await (const batch of unlessRemoved(log.batches)) {
        if (!batch.every((each) => chain.take(each))) break;
        progress(chain.sealedRows);
      }
    } catch (error) {
      if (error instanceof RemovedMeanwhile) continue;
      throw error;
    }
    chain.end();
    return {
      rows: chain.sealedRows,
      sealedUpTo: chain.sealedUpTo,
      checkpoints: chain.fittingCheckpoints,
      uncovered: chain.uncoveredRows,
      firstBad: chain.firstBad,
    };
  }
}
