import type { PolicyRequest } from './evaluation/policy-request';

/** A stored request, and what a person decided about it. */
export interface PastRequest {
  readonly id: string;
  readonly request: PolicyRequest;
  readonly at: Date;
  /** Null: no person decided it. */
  readonly decided: { readonly verdict: 'approved' | 'rejected'; readonly by: string } | null;
}

/** The stored requests, for a replay of other rules. */
export abstract class RequestHistory {
  /** Number of requests since then. */
  abstract count(at: Date): Promise<number>;

  /** Oldest first, in pages of bounded size. */
  abstract since(at: Date): AsyncIterable<readonly PastRequest[]>;
}
