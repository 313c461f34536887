import type { Acknowledgement, Approval, Settlement } from './approval';

/** A request was stored. In memory only: it may wake, count and log, and nothing that must happen hangs on it. */
export class ApprovalEnqueued {
  constructor(readonly approval: Approval) {}
}

/** This replica settled a request. In memory only, as above; the durable consequences were written with it. */
export class ApprovalSettled {
  constructor(readonly approval: Settlement) {}
}

/** This replica noted what the agent did with the answer. In memory only, as above. */
export class ApprovalAcknowledged {
  constructor(readonly outcome: Acknowledgement) {}
}
