/** This part of a key's remaining room is granted without counting its pending requests. */
const UNCOUNTED_PART = 0.1;

/** A number of requests, and their bytes. */
export interface Amount {
  readonly requests: number;
  readonly bytes: number;
}

/** One request to be stored. */
export interface Asked {
  readonly keyId: string;
  readonly bytes: number;
}

const NOTHING: Amount = { requests: 0, bytes: 0 };

/** The room left after one more request. */
const less = ({ requests, bytes }: Amount, asked: Asked): Amount => ({
  requests: requests - 1,
  bytes: bytes - asked.bytes,
});

const isOver = ({ requests, bytes }: Amount): boolean => requests < 0 || bytes < 0;

/**
 * Tracks the keys that may be near their caps, whose pending requests must be counted. Counting thousands for every new
 * request would cost more than storing it. The less room is left, the more often a key is counted; within the last ten
 * requests, always. A single replica is exact; each further one may admit up to a tenth of the room that there was a
 * moment ago.
 */
export class PendingHeadroom {
  private readonly uncounted = new Map<string, Amount>();

  /** @param max the caps for each key */
  constructor(private readonly max: Amount) {}

  /** True if all of the next requests may be stored uncounted. */
  isSure(asked: readonly Asked[]): boolean {
    const left = new Map<string, Amount>();
    return asked.every((each) => {
      const after = less(left.get(each.keyId) ?? this.uncounted.get(each.keyId) ?? NOTHING, each);
      left.set(each.keyId, after);
      return !isOver(after);
    });
  }

  /** Takes room for the next requests. @returns the keys to be counted, each once */
  unsure(asked: readonly Asked[]): string[] {
    const unsure = new Set<string>();
    for (const each of asked) {
      const after = less(this.uncounted.get(each.keyId) ?? NOTHING, each);
      if (isOver(after)) unsure.add(each.keyId);
      else this.uncounted.set(each.keyId, after);
    }
    return [...unsure];
  }

  /** @param pending the upper bound of the key's pending requests */
  counted(keyId: string, pending: Amount): void {
    const part = (max: number, used: number) => Math.floor(Math.max(0, max - used) * UNCOUNTED_PART);
    const { requests, bytes } = this.max;
    this.uncounted.set(keyId, {
      requests: part(requests, pending.requests),
      bytes: part(bytes, pending.bytes),
    });
  }
}
