/**
 * Estimates the number of pending approvals without a query: the last count of the database, plus changes by this
 * replica since.
 *
 * A single replica is exact. With several, it does not see the others' changes until the next read of the database, at
 * every scrape. Commits during the read may count twice until then.
 */
export class PendingEstimate {
  private base = 0;
  /** Enqueues minus settlements of this replica since its start. */
  private net = 0;

  /** The number of pending approvals, at least 1, since the request that is counted is one of them. */
  get now(): number {
    return Math.max(1, this.base + this.net);
  }

  /** @returns the number of pending approvals now, including the new one. */
  enqueued(): number {
    this.net++;
    return this.now;
  }

  settled(): void {
    this.net--;
  }

  /** Call it before the query of the database. @returns a function that takes the result. */
  reading(): (pending: number) => void {
    const net = this.net;
    return (pending) => (this.base = pending - net);
  }
}
