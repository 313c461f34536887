/** An attempt was refused, whether or not a row of its own was written. In memory only: it feeds metrics. */
export class AttemptRefused {
  constructor(
    readonly reason: RefusalReason,
    readonly channel: 'telegram' | 'api',
  ) {}
}

/** `bad-button`: an operator tapped a button that is none of ours, or not of that message. */
export const REFUSAL_REASONS = [
  'unauthenticated',
  'forbidden',
  'rate-limited',
  'too-large',
  'bad-button',
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];
