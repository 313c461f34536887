import type { Acknowledgement, Approval, SettledApproval, Settlement } from './approval';

/** A request was stored. In memory only: it may wake, count and log, and nothing that must happen hangs on it. */
export class ApprovalEnqueued {
  constructor(readonly approval: Approval) {}
}

/** This replica settled a request. In memory only, as above; the durable consequences were written with it. */
export class ApprovalSettled {
  /** @param approval whole, where it was at hand. */
  constructor(readonly approval: Settlement | SettledApproval) {}
}

/** This replica noted what the agent did with the answer. In memory only, as above. */
export class ApprovalAcknowledged {
  constructor(readonly outcome: Acknowledgement) {}
}
