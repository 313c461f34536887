/** An attempt was refused, with or without an audit row of its own. In memory only: it feeds metrics. */
export class AttemptRefused {
  constructor(
    readonly reason: RefusalReason,
    readonly channel: 'telegram' | 'api',
  ) {}
}

/** `bad-button`: an operator tapped a button that the service did not make, or not for that message. */
export const REFUSAL_REASONS = [
  'unauthenticated',
  'forbidden',
  'rate-limited',
  'too-large',
  'bad-button',
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];
