/** Receipts could not be signed or stored, so their approvals were not answered. In memory only: it feeds metrics. */
export class ReceiptsFailed {
  constructor(readonly count: number) {}
}
