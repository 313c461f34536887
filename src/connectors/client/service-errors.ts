import type { Approval } from './approval-wire';

/** The service gave no usable answer: no connection, a 5xx, too many requests, no JSON. Asking again may help. */
export class ServiceUnreachable extends Error {
  override readonly name = 'ServiceUnreachable';

  /** @param retryAfterMs as the service wished; undefined when it did not say. */
  constructor(
    message: string,
    readonly retryAfterMs?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The code of a refusal that is no problem document: what answered is not Countersign. */
export const NO_CODE = 'unknown';

/** The service understood and said no; asking again the same way will not help. */
export class ServiceRefused extends Error {
  override readonly name = 'ServiceRefused';

  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** The problem document's code, such as `approval.already-settled`; else {@link NO_CODE}. */
    readonly code: string,
    message: string,
    /** The true state, where the refusal is about one. */
    readonly approval?: Approval,
  ) {
    super(message);
  }
}
