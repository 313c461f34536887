/** A card came to stand in the chat. In memory only: it feeds metrics. */
export class CardDelivered {
  constructor(
    readonly approvalId: string,
    /** From the request to the card. */
    readonly latencyMs: number,
  ) {}
}
