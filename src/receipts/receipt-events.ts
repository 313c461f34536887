/** Receipts could not be signed or kept, and what they are for was not answered. In memory only: it feeds metrics. */
export class ReceiptsFailed {
  constructor(readonly count: number) {}
}
