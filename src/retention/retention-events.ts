/** This replica removed so many approvals whose time of keeping was over. In memory only: it counts. */
export class ApprovalsRemoved {
  constructor(readonly count: number) {}
}
