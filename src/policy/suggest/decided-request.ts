import type { PolicyRequest } from '../evaluation/policy-request';

/** A request that a person decided. */
export interface DecidedRequest {
  readonly request: PolicyRequest;
  readonly at: Date;
  readonly verdict: 'approved' | 'rejected';
}
