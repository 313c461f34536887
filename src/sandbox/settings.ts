import { TELEGRAM_LIMITS, type Limits } from './rate-limit';

/** Settings that a test may change; the defaults are Telegram's. */
export interface Settings extends Limits {
  /** Time that the bot has to answer a tap, and that `POST /sandbox/press` waits for the answer. */
  readonly callbackAnswerMs: number;
  /** Wait before the first retry of a failed webhook delivery; it doubles with each retry. */
  readonly webhookRetryMs: number;
  /** The longest wait between two attempts. */
  readonly webhookRetryMaxMs: number;
  /** False to refuse `<tg-time>`, as a Bot API server from before that tag does. */
  readonly knowsTimes: boolean;
  /** False to refuse `<blockquote expandable>`. */
  readonly knowsFolds: boolean;
  /** False to refuse the `style` of a button. */
  readonly knowsButtonStyles: boolean;
}

export const TELEGRAM_SETTINGS: Settings = {
  ...TELEGRAM_LIMITS,
  callbackAnswerMs: 15_000,
  webhookRetryMs: 2_000,
  webhookRetryMaxMs: 64_000,
  knowsTimes: true,
  knowsFolds: true,
  knowsButtonStyles: true,
};

export type MutableSettings = { -readonly [K in keyof Settings]: Settings[K] };
