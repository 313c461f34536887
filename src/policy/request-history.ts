import type { Reader } from '../kernel/viewer';
import type { PolicyRequest } from './evaluation/policy-request';

/** A stored request, and what a person decided about it. */
export interface PastRequest {
  readonly id: string;
  readonly request: PolicyRequest;
  readonly inputDigest: string;
  readonly at: Date;
  /** Null: no person decided it. */
  readonly decided: { readonly verdict: 'approved' | 'rejected'; readonly by: string } | null;
}

/** The stored requests, for a replay of other rules. */
export abstract class RequestHistory {
  /** Number of requests since then that the reader sees; null: of all. */
  abstract count(at: Date, reader: Reader | null): Promise<number>;

  /** The requests of one key, newest first, at most so many. */
  abstract recent(keyId: string, since: Date, limit: number): Promise<readonly PastRequest[]>;

  /** Those that the reader sees (null: all), oldest first, in pages of bounded size. */
  abstract since(at: Date, reader: Reader | null): AsyncIterable<readonly PastRequest[]>;
}
