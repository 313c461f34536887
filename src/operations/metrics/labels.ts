import type { ApprovalStatus } from '../../approvals/approval';
import type { BreakerState } from '../../resilience/circuit-breaker';
import type { FailureReason } from '../../channels/telegram/bot-api/telegram-failure';

/** Every value of a label is listed here or comes from a route's template: never an id, a text or a URL. */

/** Label of values that are not on a list. */
export const OTHER = 'other';

/** The Bot API methods that the service calls. */
export const TELEGRAM_METHODS = [
  'getMe',
  'getChat',
  'getUpdates',
  'setWebhook',
  'deleteWebhook',
  'setMyCommands',
  'sendMessage',
  'sendDocument',
  'editMessageText',
  'answerCallbackQuery',
  OTHER,
] as const;

// A record, so that the compiler reports a missing new reason.
const REASONS: Readonly<Record<FailureReason, true>> = {
  'rate-limited': true,
  unauthorized: true,
  forbidden: true,
  conflict: true,
  'bad-request': true,
  'server-error': true,
  network: true,
  timeout: true,
  'bad-answer': true,
};

export const TELEGRAM_FAILURE_REASONS = Object.keys(REASONS);

export const FINAL_STATUSES = [
  'approved',
  'rejected',
  'expired',
  'cancelled',
] as const satisfies readonly ApprovalStatus[];

/** Channels of an operator's decision. */
export const CHANNELS = ['telegram', 'api'] as const;

export const BREAKER_STATES = ['closed', 'half-open', 'open'] as const satisfies readonly BreakerState[];

const methods: ReadonlySet<string> = new Set(TELEGRAM_METHODS);

export function telegramMethodLabel(method: string): string {
  return methods.has(method) ? method : OTHER;
}
