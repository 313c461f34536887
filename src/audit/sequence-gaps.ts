/**
 * How long a missing number is waited for. Numbers are handed out before their rows commit, so a lower one may
 * appear after a higher one; but no statement of the service takes longer than thirty seconds.
 */
const WAIT_MS = 120_000;

/** Numbers that were passed over, because their rows have not committed yet or never will. */
export class SequenceGaps {
  private readonly since: Map<number, number>;

  /** @param seenUpTo - up to here everything was seen, but for `missing` */
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

  /** The numbers that may still come. Each is told once more when its time is over: whoever asks may have been held up. */
  open(nowMs: number): number[] {
    const open = [...this.since.keys()];
    for (const [seq, sinceMs] of this.since) if (nowMs - sinceMs > WAIT_MS) this.since.delete(seq);
    return open;
  }

  /** These have come to be; what they leave out below them may follow. */
  saw(seqs: readonly number[], nowMs: number): void {
    for (const seq of [...seqs].sort((a, b) => a - b)) {
      this.since.delete(seq);
      for (let missing = this.seen + 1; missing < seq; missing++) this.since.set(missing, nowMs);
      this.seen = Math.max(this.seen, seq);
    }
  }
}
