import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { nullableText } from '../../kernel/nullable-text';
import { BREAKER_ACTIONS } from './breaker-report';

const timestamp = z.iso.datetime().nullable();
const histogram = z
  .strictObject({
    count: z.int(),
    sum: z.number(),
    p50: z.number(),
    p95: z.number(),
    p99: z.number(),
  })
  .meta({ description: 'Quantiles are estimated within buckets; 0 without values.' });

/** Labelled metrics are summed over their labels; `/metrics` has them separately. */
export class MetricsView extends createZodDto(
  z.strictObject({
    escalationQueue: z.strictObject({
      escalation_queue_size: z.int().nullable().meta({ description: 'null while the database is away' }),
      escalation_queue_enqueue_total: z.int(),
      escalation_queue_dequeue_total: z.int(),
      escalation_queue_depth_histogram: histogram,
    }),
    approvalStatistics: z.strictObject({
      escalation_approvals_accepted_total: z.int(),
      escalation_approvals_rejected_total: z.int(),
      escalation_approvals_timeout_total: z.int(),
      escalation_response_time_seconds: histogram,
    }),
    telegramApi: z.strictObject({
      telegram_api_requests_total: z.int(),
      telegram_api_failures_total: z.int(),
      telegram_api_retry_attempts_total: z.int(),
      telegram_api_duration_seconds: histogram,
    }),
    systemHealth: z.strictObject({
      approval_timeout_service_health: z.int(),
      telegram_service_health: z.int(),
      escalation_initializations_total: z.int(),
      escalation_completions_total: z.int(),
    }),
    generatedAt: z.iso.datetime(),
  }),
) {}

export class DatabaseView extends createZodDto(
  z.strictObject({
    reachable: z.boolean(),
    error: nullableText('Reason why the database is not reachable.'),
    pool: z.strictObject({ max: z.int(), total: z.int(), idle: z.int(), waiting: z.int() }),
    migrations: z
      .strictObject({
        applied: z.array(z.string()),
        pending: z.array(z.string()).meta({ description: 'This version needs them: it is not ready' }),
        unknown: z
          .array(z.string())
          .meta({ description: 'Of a newer version, beside which this one goes on' }),
      })
      .nullable(),
    serverVersion: nullableText('Version of PostgreSQL.'),
    sizeBytes: z.int().nullable(),
    roundTripMs: z.number().meta({ description: 'Milliseconds of one query.' }).nullable(),
  }),
) {}

export class TelegramView extends createZodDto(
  z.strictObject({
    replica: z.string(),
    mode: z.enum(['off', 'polling', 'webhook']),
    degradedBecause: nullableText('Reason why operators may not see cards.'),
    lastCompletedPollAt: timestamp.meta({ description: 'On this replica; see leaseHolder for who polls.' }),
    leaseHolder: z.strictObject({ replica: z.string(), expiresAt: z.iso.datetime() }).nullable(),
    budgetLeft: z
      .strictObject({ perSecond: z.int(), chat: z.int(), groupPerMinute: z.int().nullable() })
      .nullable(),
    lastError: z.strictObject({ method: z.string(), reason: z.string(), at: z.iso.datetime() }).nullable(),
  }),
) {}

export class CircuitBreakerView extends createZodDto(
  z.strictObject({
    replica: z.string(),
    state: z.enum(['closed', 'open', 'half-open']),
    consecutiveFailures: z.int(),
    totalFailures: z.int(),
    totalSuccesses: z.int(),
    failureRate: z.number(),
    openedAt: timestamp,
    nextAttemptAt: timestamp,
  }),
) {}

export class BreakerActionDto extends createZodDto(
  z.strictObject({ action: z.enum(BREAKER_ACTIONS, 'must be open, close or reset') }),
) {}
