import { z } from 'zod';
import { flag, fraction, httpUrl, integer, secret, section, setting, type ValuesOf } from './setting';
import { destination, operators } from './telegram-ids';

const statusCodes = z
  .string()
  .regex(
    /^[45]\d\d(\s*,\s*[45]\d\d)*$/,
    'must be a comma list of HTTP statuses from 400 to 599, such as 429,503',
  )
  .transform((value) => value.split(',').map(Number))
  .default([429, 500, 502, 503, 504]);

export const TELEGRAM = section('Telegram', {
  TELEGRAM_BOT_TOKEN: secret(
    'Token from @BotFather; needs the next two',
    z
      .string()
      .regex(/^\d{1,20}:[A-Za-z0-9_-]{30,}$/, 'is not a bot token (digits, a colon, 30 or more characters)'),
    'Telegram off',
  ),
  TELEGRAM_CHAT_ID: setting(
    'Numeric chat that gets the cards; negative for groups. `-1001234567890/17` is the topic 17 of a forum; without a ' +
      'topic, cards go to General',
    destination.optional(),
  ),
  TELEGRAM_OPERATORS: setting(
    'People who may decide: comma list of `id` or `id:name`, numeric user ids, such as `4711:Olivia,4712:Sam`',
    operators.optional(),
  ),
  TELEGRAM_API_ROOT: setting(
    'Another Bot API server, such as the sandbox',
    httpUrl.default('https://api.telegram.org'),
  ),
  TELEGRAM_MODE: setting(
    '`polling`, or `webhook` at `/telegram/webhook`',
    z.enum(['polling', 'webhook'], 'must be polling or webhook').default('polling'),
  ),
  TELEGRAM_WEBHOOK_URL: setting(
    'Public https URL that reaches `/telegram/webhook`, this path included; required by `webhook`',
    httpUrl.optional(),
  ),
  TELEGRAM_WEBHOOK_SECRET: secret(
    '16 to 256 of A–Z a–z 0–9 _ -; required by `webhook`',
    z.string().regex(/^[A-Za-z0-9_-]{16,256}$/, 'must be 16 to 256 characters of A-Z a-z 0-9 _ -'),
  ),
  TELEGRAM_RETRY_MAX_ATTEMPTS: integer('Retries within one call to Telegram', 0, 20, 3),
  TELEGRAM_RETRY_INITIAL_DELAY_MS: integer(
    'Wait before the first retry; doubles each time. Unset, no longer than the longest wait',
    1,
    600_000,
    1000,
  ),
  TELEGRAM_RETRY_MAX_DELAY_MS: integer('Longest wait', 1, 600_000, 16_000),
  TELEGRAM_RETRY_JITTER: flag('Vary waits by ± 25 %, never above the longest', true),
  TELEGRAM_RETRY_ON: setting('Status codes that are retried, from 400 to 599', statusCodes),
  TELEGRAM_BUDGET_PER_SECOND: integer('Messages per second of the bot, over all replicas', 1, 10_000, 30),
  TELEGRAM_BUDGET_CHAT_PER_SECOND: integer('Messages per second in a chat; bursts of 3', 1, 10_000, 1),
  TELEGRAM_BUDGET_GROUP_PER_MINUTE: integer(
    "Messages per minute in a group; the answers to one operator's commands take at most a quarter of them",
    1,
    100_000,
    20,
  ),
});

export const DELIVERY = section('Delivery to Telegram', {
  ESCALATION_LEASE_SECONDS: integer(
    "Another replica takes over a killed one's Telegram work after this",
    1,
    3600,
    30,
  ),
  CIRCUIT_BREAKER_CONSECUTIVE_FAILURES: integer('Failures in a row that open the breaker', 1, 10_000, 5),
  CIRCUIT_BREAKER_FAILURE_RATE: fraction('Or this share of failures …', 0.5),
  CIRCUIT_BREAKER_MINIMUM_THROUGHPUT: integer('… over at least so many calls …', 1, 100_000, 10),
  CIRCUIT_BREAKER_SAMPLING_SECONDS: integer('… within this time', 1, 3600, 30),
  CIRCUIT_BREAKER_BREAK_SECONDS: integer('Time that it stays open before a trial', 1, 3600, 30),
});

function botOf(env: ValuesOf<typeof TELEGRAM>) {
  if (env.TELEGRAM_BOT_TOKEN === undefined || env.TELEGRAM_CHAT_ID === undefined) return null;
  return {
    token: env.TELEGRAM_BOT_TOKEN,
    ...env.TELEGRAM_CHAT_ID,
    operators: env.TELEGRAM_OPERATORS ?? [],
    apiRoot: env.TELEGRAM_API_ROOT,
    webhook:
      env.TELEGRAM_MODE === 'webhook'
        ? { url: env.TELEGRAM_WEBHOOK_URL ?? '', secret: env.TELEGRAM_WEBHOOK_SECRET ?? '' }
        : null,
    retry: {
      maxAttempts: env.TELEGRAM_RETRY_MAX_ATTEMPTS,
      initialDelayMs: Math.min(env.TELEGRAM_RETRY_INITIAL_DELAY_MS, env.TELEGRAM_RETRY_MAX_DELAY_MS),
      maxDelayMs: env.TELEGRAM_RETRY_MAX_DELAY_MS,
      jitter: env.TELEGRAM_RETRY_JITTER,
      on: env.TELEGRAM_RETRY_ON,
    },
  };
}

export const telegramSettingsOf = (env: ValuesOf<typeof TELEGRAM> & ValuesOf<typeof DELIVERY>) => ({
  telegram: botOf(env),
  breaker: {
    consecutiveFailures: env.CIRCUIT_BREAKER_CONSECUTIVE_FAILURES,
    failureRate: env.CIRCUIT_BREAKER_FAILURE_RATE,
    minimumThroughput: env.CIRCUIT_BREAKER_MINIMUM_THROUGHPUT,
    samplingSeconds: env.CIRCUIT_BREAKER_SAMPLING_SECONDS,
    breakSeconds: env.CIRCUIT_BREAKER_BREAK_SECONDS,
  },
  escalation: {
    leaseSeconds: env.ESCALATION_LEASE_SECONDS,
    budget: {
      perSecond: env.TELEGRAM_BUDGET_PER_SECOND,
      chatPerSecond: env.TELEGRAM_BUDGET_CHAT_PER_SECOND,
      groupPerMinute: env.TELEGRAM_BUDGET_GROUP_PER_MINUTE,
    },
  },
});
