/** How many requests of a key a replica stores at most without counting what is pending. */
const MAX_UNCOUNTED = 1_000;
/** Nor more than this part of the cap: what several replicas together admit beyond it stays small. */
const MAX_UNCOUNTED_PART = 0.1;

/**
 * Which keys may be near their cap, so that their pending requests must be counted: counting thousands for every new
 * one would cost more than storing it. A single replica is exact; each further one may admit up to a tenth of the cap
 * beyond it, and only to a key that was below half of it a moment ago.
 */
export class PendingHeadroom {
  private readonly uncounted = new Map<string, number>();
  private readonly step: number;

  /** @param maxPending the cap for each key. */
  constructor(private readonly maxPending: number) {
    this.step = Math.min(MAX_UNCOUNTED, Math.floor(maxPending * MAX_UNCOUNTED_PART));
  }

  /** Whether all of the next requests may be stored uncounted; one entry a request. */
  isSure(keyIds: readonly string[]): boolean {
    const asked = new Map<string, number>();
    return keyIds.every((keyId) => {
      const count = (asked.get(keyId) ?? 0) + 1;
      asked.set(keyId, count);
      return count <= (this.uncounted.get(keyId) ?? 0);
    });
  }

  /** Takes room for the next requests, one entry a request. @returns the keys to be counted, each once. */
  unsure(keyIds: readonly string[]): string[] {
    const unsure = new Set<string>();
    for (const keyId of keyIds) {
      const left = this.uncounted.get(keyId) ?? 0;
      if (left > 0) this.uncounted.set(keyId, left - 1);
      else unsure.add(keyId);
    }
    return [...unsure];
  }

  /** @param pending how many requests of the key are pending at the most. */
  counted(keyId: string, pending: number): void {
    this.uncounted.set(keyId, pending <= this.maxPending / 2 ? this.step : 0);
  }
}
