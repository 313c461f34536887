import { NOTHING_BEFORE, type Seal, type SealedRow } from './seal';

/** The part of a verified checkpoint that is compared with the chain. */
export type KnownEnd = Pick<Seal, 'number' | 'seq' | 'hash'>;

/** The first row that differs from its seal. */
export interface BadRow {
  readonly seq: number;
  readonly reason: string;
}

/**
 * Checks the seals in order and finds the first that is invalid: pure, in constant memory.
 *
 * Checkpoints must be verified already. They reveal two attacks that the chain alone cannot: a chain computed anew, and
 * a missing end.
 */
export class ChainVerifier {
  private last: Pick<Seal, 'number' | 'hash'> | null = null;
  private readonly checkpoints: ReadonlyMap<number, KnownEnd>;
  private found: BadRow | null = null;
  private rows = 0;
  private highestSeq: number | null = null;
  private fitting = 0;
  private sinceCheckpoint = 0;

  constructor(checkpoints: readonly KnownEnd[]) {
    const known = new Map<number, KnownEnd>();
    for (const each of checkpoints) {
      const other = known.get(each.number);
      if (other && other.hash !== each.hash) {
        this.found ??= {
          seq: each.seq,
          reason: `two checkpoints of seal ${each.number} contradict each other`,
        };
      }
      known.set(each.number, each);
    }
    this.checkpoints = known;
  }

  get sealedRows(): number {
    return this.rows;
  }

  /** The highest `seq` under a seal; null without any. */
  get sealedUpTo(): number | null {
    return this.highestSeq;
  }

  /** Checkpoints that were compared with the log and fit. */
  get fittingCheckpoints(): number {
    return this.fitting;
  }

  /** Sealed rows after the last of those checkpoints; all rows without any. */
  get uncoveredRows(): number {
    return this.sinceCheckpoint;
  }

  get firstBad(): BadRow | null {
    return this.found;
  }

  /**
   * @param hash the hash that a seal with this number and `previous` over the row has; null if the row is gone
   * @returns true if no fault was found so far.
   */
  take({ seal, row }: SealedRow, hash: string | null): boolean {
    const reason = this.faultOf(seal, row === null ? null : hash);
    if (reason !== null) this.found ??= { seq: seal.seq, reason };
    const isCovered = reason === null && this.checkpoints.has(seal.number);
    if (isCovered) this.fitting++;
    this.sinceCheckpoint = isCovered ? 0 : this.sinceCheckpoint + 1;
    this.last = seal;
    this.rows++;
    this.highestSeq = Math.max(this.highestSeq ?? seal.seq, seal.seq);
    return this.found === null;
  }

  /** Checks the end of the log; call it after the last seal. */
  end(): void {
    const reached = this.last?.number ?? 0;
    const beyond = [...this.checkpoints.values()]
      .filter(({ number }) => number > reached)
      .sort((a, b) => a.number - b.number)[0];
    if (this.found || !beyond) return;
    this.found = {
      seq: beyond.seq,
      reason: `the end of the log is missing: a checkpoint covers ${beyond.number} seals, ${reached} are left`,
    };
  }

  private faultOf(seal: Seal, hash: string | null): string | null {
    const before = this.last ?? this.beginning(seal);
    if (before === null) return `rows before it are missing: no checkpoint ends at seal ${seal.number - 1}`;
    if (seal.number !== before.number + 1) {
      return `rows before it are missing: seal ${seal.number} follows seal ${before.number}`;
    }
    if (seal.previous !== before.hash) return 'the chain is broken before it';
    if (hash === null) return 'the row is missing';
    if (hash !== seal.hash) return 'the row or its seal was altered';
    const checkpoint = this.checkpoints.get(seal.number);
    if (checkpoint && checkpoint.hash !== seal.hash) {
      return 'the chain was computed anew: an exported checkpoint has another hash here';
    }
    return null;
  }

  /**
   * Returns the seal before the first one: none at number 1, otherwise the checkpoint up to which old rows were
   * removed.
   */
  private beginning({ number }: Seal): Pick<Seal, 'number' | 'hash'> | null {
    if (number === 1) return { number: 0, hash: NOTHING_BEFORE };
    const boundary = this.checkpoints.get(number - 1);
    if (boundary) this.fitting++;
    return boundary ?? null;
  }
}
