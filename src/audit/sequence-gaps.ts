/**
 * Time for which a missing number is expected. PostgreSQL hands out numbers before their rows commit, so a lower one
 * may appear after a higher one. No statement of the service takes longer than thirty seconds.
 */
const WAIT_MS = 120_000;

/** Tracks skipped numbers, whose rows have not committed yet or never will. */
export class SequenceGaps {
  private readonly since: Map<number, number>;

  /** @param seenUpTo - every number up to here was seen, except `missing` */
  constructor(
    private seen: number,
    missing: readonly number[],
    nowMs: number,
  ) {
    this.since = new Map(missing.map((seq) => [seq, nowMs]));
  }

  get seenUpTo(): number {
    return this.seen;
  }

  /**
   * The numbers that may still come. Returns each once more after its time is over, because the caller may have been
   * delayed.
   */
  open(nowMs: number): number[] {
    const open = [...this.since.keys()];
    for (const [seq, sinceMs] of this.since) if (nowMs - sinceMs > WAIT_MS) this.since.delete(seq);
    return open;
  }

  /** Records rows that were read; numbers skipped below them may follow. */
  saw(seqs: readonly number[], nowMs: number): void {
    for (const seq of [...seqs].sort((a, b) => a - b)) {
      this.since.delete(seq);
      for (let missing = this.seen + 1; missing < seq; missing++) this.since.set(missing, nowMs);
      this.seen = Math.max(this.seen, seq);
    }
  }
}
