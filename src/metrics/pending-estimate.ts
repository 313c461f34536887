/**
 * How many approvals are pending, without asking the database: what it last said, and what this replica did since.
 *
 * Alone, a replica is exact. Beside others it does not see their work until the database is read again, which every
 * scrape does; what commits while it is read may count twice until then.
 */
export class PendingEstimate {
  private base = 0;
  /** Enqueues less settlements of this replica since its start. */
  private net = 0;

  /** @returns how many are pending now, the new one included. */
  enqueued(): number {
    this.net++;
    return Math.max(1, this.base + this.net);
  }

  settled(): void {
    this.net--;
  }

  /** The database is about to be asked. @returns takes its answer. */
  reading(): (pending: number) => void {
    const net = this.net;
    return (pending) => (this.base = pending - net);
  }
}
