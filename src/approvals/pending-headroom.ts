/** This part of the room that a key has left is given away without counting what is pending. */
const UNCOUNTED_PART = 0.1;

/**
 * Which keys may be near their cap, so that their pending requests must be counted: counting thousands for every new
 * one would cost more than storing it. The less room is left, the more often it is counted; the last ten requests, always.
 * A single replica is exact; each further one may admit up to a tenth of the room that there was a moment ago.
 */
export class PendingHeadroom {
  private readonly uncounted = new Map<string, number>();

  /** @param maxPending the cap for each key. */
  constructor(private readonly maxPending: number) {}

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
    this.uncounted.set(keyId, Math.floor(Math.max(0, this.maxPending - pending) * UNCOUNTED_PART));
  }
}
