import type { Approval } from './approval-wire';

/** The service gave no usable answer: no connection, a 5xx, too many requests, no JSON. A retry may succeed. */
export class ServiceUnreachable extends Error {
  override readonly name = 'ServiceUnreachable';

  /** @param retryAfterMs from the service's `Retry-After`; undefined without one. */
  constructor(
    message: string,
    readonly retryAfterMs?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Code for a refusal that is not a problem document: the sender is not Countersign. */
export const NO_CODE = 'unknown';

/** The service refused the call; a retry of the same call will not succeed. */
export class ServiceRefused extends Error {
  override readonly name = 'ServiceRefused';

  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** The problem document's code, such as `approval.already-settled`; else {@link NO_CODE}. */
    readonly code: string,
    message: string,
    /** The current state of the approval, if the refusal concerns one. */
    readonly approval?: Approval,
  ) {
    super(message);
  }
}
