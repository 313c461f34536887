import { CardDelivered } from '../../channels/delivery-events';
import { TelegramAttempted, UpdateUnreadable } from '../../channels/telegram/bot-api/telegram-events';
import { FAILURE_REASONS } from '../../channels/telegram/bot-api/telegram-failure';
import { TelegramStatus } from '../../channels/telegram/telegram-status';
import type { BreakerState } from '../../resilience/circuit-breaker';
import { ofBacklog } from './backlog';
import { BREAKER, type Breaker } from './breaker';
import { counter, gauge, histogram, type Metric } from './metric';
import { BreakerMoved } from './metric-events';

/** A card is in the chat within a second, unless Telegram limits the rate. */
const DELIVERY_BUCKETS_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800];
/** A long poll waits up to 50 s by design; every other call ends within 10 s. */
const CALL_BUCKETS_SECONDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The Bot API methods that the service calls. */
const TELEGRAM_METHODS = [
  'getMe',
  'getChat',
  'getUpdates',
  'setWebhook',
  'deleteWebhook',
  'setMyCommands',
  'sendMessage',
  'sendDocument',
  'sendPhoto',
  'editMessageText',
  'answerCallbackQuery',
  'other',
] as const;

const methodOf = ({ method }: TelegramAttempted) =>
  TELEGRAM_METHODS.find((each) => each === method) ?? 'other';

const BREAKER_STATES = ['closed', 'half-open', 'open'] as const satisfies readonly BreakerState[];

/** Work for Telegram, calls to it, and their breaker. */
export const DELIVERY_METRICS: readonly Metric[] = [
  histogram({
    name: 'escalation_delivery_seconds',
    help: 'From the creation of an approval to its card in the chat.',
    buckets: DELIVERY_BUCKETS_SECONDS,
    observes: CardDelivered,
    value: ({ latencyMs }) => latencyMs / 1000,
  }),
  gauge({
    name: 'escalation_outbox_depth',
    help: 'Telegram work that is due, work that waits for a retry included, from the database.',
    ...ofBacklog('outboxDue'),
  }),
  gauge({
    name: 'escalation_outbox_scheduled',
    help: 'Telegram work whose time has not come, from the database.',
    ...ofBacklog('outboxScheduled'),
  }),
  gauge({
    name: 'escalation_outbox_dead',
    help: 'Telegram work that was given up and waits for a person, from the database.',
    ...ofBacklog('outboxDead'),
  }),
  gauge({
    name: 'escalation_outbox_oldest_seconds',
    help: 'Age of the oldest due Telegram work, warnings aside, from the database; 0 without any.',
    ...ofBacklog('outboxOldestSeconds'),
  }),
  counter({
    name: 'telegram_api_requests_total',
    help: 'HTTP attempts at the Bot API.',
    labels: { method: TELEGRAM_METHODS },
    counts: TelegramAttempted,
    series: (attempt) => ({ method: methodOf(attempt) }),
  }),
  counter({
    name: 'telegram_api_failures_total',
    help: 'Failed HTTP attempts at the Bot API.',
    labels: { method: TELEGRAM_METHODS, reason: FAILURE_REASONS },
    counts: TelegramAttempted,
    series: (attempt) =>
      attempt.failure === null ? null : { method: methodOf(attempt), reason: attempt.failure },
  }),
  counter({
    name: 'telegram_api_retry_attempts_total',
    help: 'HTTP attempts at the Bot API that repeat a failed one.',
    labels: { method: TELEGRAM_METHODS },
    counts: TelegramAttempted,
    series: (attempt) => (attempt.isRetry ? { method: methodOf(attempt) } : null),
  }),
  histogram({
    name: 'telegram_api_duration_seconds',
    help: 'Duration of an HTTP attempt at the Bot API; getUpdates waits by design.',
    labels: { method: TELEGRAM_METHODS },
    buckets: CALL_BUCKETS_SECONDS,
    observes: TelegramAttempted,
    series: (attempt) => ({ method: methodOf(attempt) }),
    value: ({ durationMs }) => durationMs / 1000,
  }),
  counter({
    name: 'telegram_updates_skipped_total',
    help: 'Updates of the Bot API that could not be read and were skipped.',
    counts: UpdateUnreadable,
  }),
  gauge({
    name: 'telegram_enabled',
    help: '1 when a bot is configured, else 0.',
    from: [TelegramStatus],
    read: ({ health }) => (health.enabled ? 1 : 0),
  }),
  gauge({
    name: 'telegram_service_health',
    help: '1 while the way to the operators works, else 0; 0 as well when Telegram is off.',
    from: [TelegramStatus],
    read: ({ health }) => (health.enabled && health.degradedBecause === null ? 1 : 0),
  }),
  gauge({
    name: 'circuit_breaker_state',
    help: '1 at the state of the breaker before Telegram on this replica, 0 at the others.',
    labels: ['state'],
    from: [BREAKER],
    read: (breaker: Breaker) => BREAKER_STATES.map((state) => [{ state }, breaker.state === state ? 1 : 0]),
  }),
  counter({
    name: 'circuit_breaker_transitions_total',
    help: 'Changes of the state of the breaker on this replica, by the state it came to.',
    labels: { to: BREAKER_STATES },
    counts: BreakerMoved,
    series: ({ to }) => ({ to }),
  }),
];
