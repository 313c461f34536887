/** This replica removed approvals beyond their retention. In memory only: it feeds metrics. */
export class ApprovalsRemoved {
  constructor(readonly count: number) {}
}
