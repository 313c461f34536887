import { ChainVerifier, type BadRow, type KnownEnd } from './chain-verifier';
import type { SealedRow } from './seal';

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

type Hashes = readonly (string | null)[];

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
 * @param log.checkpoints with verified signatures
 * @param log.hashesOf the hash of each row under its seal, computed anew; null where the row is gone
 * @param progress called after every batch with the number of rows so far
 */
export async function walkChain(
  log: {
    readonly batches: ReadBatches;
    readonly checkpoints: readonly KnownEnd[];
    readonly hashesOf: (batch: readonly SealedRow[]) => Hashes | Promise<Hashes>;
  },
  progress: (rows: number) => void = () => undefined,
): Promise<ChainVerdict> {
  for (;;) {
    const chain = new ChainVerifier(log.checkpoints);
    try {
      for await (const batch of unlessRemoved(log.batches)) {
        const hashes = await log.hashesOf(batch);
        if (!batch.every((each, place) => chain.take(each, hashes[place] ?? null))) break;
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
