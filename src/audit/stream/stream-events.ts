import type { StreamFailureReason } from './stream-failure';

/** The destination took these rows of the audit log. It feeds metrics, as does the other event of this file. */
export class AuditStreamed {
  constructor(readonly rows: number) {}
}

/** The destination did not take rows, or refused one for good. */
export class AuditStreamFailed {
  constructor(readonly reason: StreamFailureReason) {}
}
