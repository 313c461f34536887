/** A card was delivered to the chat. In memory only: it feeds metrics. */
export class CardDelivered {
  constructor(
    readonly approvalId: string,
    /** Time from the request to the card, in milliseconds. */
    readonly latencyMs: number,
  ) {}
}
