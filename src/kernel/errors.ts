/** Every refusal of the domain. `src/http/problem.ts` maps them to HTTP. */
export type DomainCode =
  | 'request.invalid'
  | 'request.misdirected'
  | 'request.no-room'
  | 'approval.not-found'
  | 'approval.already-settled'
  | 'approval.expired'
  | 'approval.not-settled'
  | 'approval.not-decidable'
  | 'approval.shown-otherwise'
  | 'reason.required'
  | 'approval.already-acknowledged'
  | 'approval.claimed'
  | 'approval.no-more-time'
  | 'approval.too-many-pending'
  | 'idempotency.body-differs'
  | 'policy.invalid'
  | 'policy.stale'
  | 'policy.second-person'
  | 'policy.unsupported'
  | 'policy.managed'
  | 'policy.not-found'
  | 'policy.unfinished'
  | 'grant.not-permitted'
  | 'grant.not-found'
  | 'quorum.not-eligible'
  | 'passkey.refused'
  | 'passkey.required'
  | 'passkey.not-found'
  | 'oidc.refused'
  | 'oidc.unavailable'
  | 'key.not-found'
  | 'search.too-broad'
  | 'receipt.unavailable'
  | 'audit.checkpoint-unwritable'
  | 'access.unauthenticated'
  | 'access.forbidden'
  | 'access.cross-site'
  | 'access.same-owner'
  | 'access.rate-limited'
  | 'database.unavailable'
  | 'telegram.unavailable';

/** One fault of an input: its place (dotted path, empty for the whole) and a message in plain words. */
export interface InputFault {
  readonly path: string;
  readonly message: string;
}

/** A refusal with a stable code; the message is written for the caller and carries no secret. */
export class DomainError extends Error {
  override readonly name: string = 'DomainError';

  constructor(
    readonly code: DomainCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Too many requests in too short a time. */
export class RateLimited extends DomainError {
  override readonly name = 'RateLimited';

  /** `what`: the limited thing, in plural. */
  constructor(
    what: string,
    /** Whole seconds until a retry is accepted. */
    readonly retryAfterSeconds: number,
  ) {
    super('access.rate-limited', `Too many ${what}; try again in ${retryAfterSeconds} s.`);
  }
}

/** The input does not have the required shape. */
export class InvalidInput extends DomainError {
  override readonly name = 'InvalidInput';

  constructor(readonly errors: readonly InputFault[]) {
    super('request.invalid', errors.map((e) => (e.path ? `${e.path}: ${e.message}` : e.message)).join('; '));
  }
}
