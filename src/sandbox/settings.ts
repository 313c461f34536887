import { TELEGRAM_LIMITS, type Limits } from './rate-limit';

/** What a test may turn; the defaults are Telegram's. */
export interface Settings extends Limits {
  /** How long a tap can be answered, and how long `POST /sandbox/press` waits for it. */
  readonly callbackAnswerMs: number;
  /** The first wait before a failed webhook delivery is tried again; it doubles each time. */
  readonly webhookRetryMs: number;
  /** The longest wait between two tries. */
  readonly webhookRetryMaxMs: number;
  /** False as on a Bot API server from before `<tg-time>`, which refuses the tag. */
  readonly knowsTimes: boolean;
  /** False to refuse the `style` of a button. */
  readonly knowsButtonStyles: boolean;
}

export const TELEGRAM_SETTINGS: Settings = {
  ...TELEGRAM_LIMITS,
  callbackAnswerMs: 15_000,
  webhookRetryMs: 2_000,
  webhookRetryMaxMs: 64_000,
  knowsTimes: true,
  knowsButtonStyles: true,
};

export type MutableSettings = { -readonly [K in keyof Settings]: Settings[K] };
