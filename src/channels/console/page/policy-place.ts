const PLACES = ['document', 'edit', 'history', 'proposals'] as const;

/** The part of the policy view that an address names. */
export interface PolicyPlace {
  readonly place?: (typeof PLACES)[number];
  /** Number of the change in the history, the newest first; from 0. */
  readonly change?: number;
}

export { PLACES };

/** Reads the place from an address, which may contain anything. */
export function readPolicyPlace({ place, change }: Record<string, unknown>): PolicyPlace {
  const known = PLACES.find((each) => each === place);
  return {
    ...(known !== undefined && { place: known }),
    ...(Number.isSafeInteger(change) && { change: Math.max(0, Number(change)) }),
  };
}
