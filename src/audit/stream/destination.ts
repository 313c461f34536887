import type { SealedRow } from '../seal';

/** Takes rows of the audit log. */
export interface Destination {
  /** Resolves once it has all rows. @throws StreamFailure if it may not have them all. */
  send(rows: readonly SealedRow[], signal: AbortSignal): Promise<void>;
}
