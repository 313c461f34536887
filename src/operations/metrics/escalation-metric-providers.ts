import type { Provider } from '@nestjs/common';
import { makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import type { Registry } from 'prom-client';
import { TimeoutSweeper } from '../../approvals/timeout-sweeper';
import { TelegramStatus } from '../../channels/telegram/telegram-status';
import { Backlog } from './backlog';

/** The sixteen metrics that users' dashboards rely on, by category; interface.md fixes the names. */
export const CATEGORIES = {
  escalationQueue: [
    'escalation_queue_size',
    'escalation_queue_enqueue_total',
    'escalation_queue_dequeue_total',
    'escalation_queue_depth_histogram',
  ],
  approvalStatistics: [
    'escalation_approvals_accepted_total',
    'escalation_approvals_rejected_total',
    'escalation_approvals_timeout_total',
    'escalation_response_time_seconds',
  ],
  telegramApi: [
    'telegram_api_requests_total',
    'telegram_api_failures_total',
    'telegram_api_retry_attempts_total',
    'telegram_api_duration_seconds',
  ],
  systemHealth: [
    'approval_timeout_service_health',
    'telegram_service_health',
    'escalation_initializations_total',
    'escalation_completions_total',
  ],
} as const;

const DEPTH_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
/** From an immediate tap to the longest default timeout, two hours. */
export const DECISION_BUCKETS_SECONDS = [
  0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200,
];
/** A long poll waits up to 50 s by design; every other call ends within 10 s. */
const CALL_BUCKETS_SECONDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The sixteen metrics, each in this registry; gauges are read during a scrape. */
export function escalationMetricProviders(registry: Registry): Provider[] {
  const registers = [registry];
  return [
    makeGaugeProvider({
      name: 'escalation_queue_size',
      help: 'Approvals that wait for a decision, from the database; absent while the database is away.',
      registers,
      inject: [Backlog],
      collect(backlog: Backlog) {
        return backlog.show(this, ({ pending }) => pending);
      },
    }),
    makeCounterProvider({
      name: 'escalation_queue_enqueue_total',
      help: 'Approvals stored by this replica; idempotent replays are none.',
      registers,
    }),
    makeCounterProvider({
      name: 'escalation_queue_dequeue_total',
      help: 'Approvals settled by this replica, any way.',
      registers,
    }),
    makeHistogramProvider({
      name: 'escalation_queue_depth_histogram',
      help: 'Pending approvals at each enqueue, the new one included; other replicas count as of the last scrape.',
      buckets: DEPTH_BUCKETS,
      registers,
    }),
    makeCounterProvider({
      name: 'escalation_approvals_accepted_total',
      help: 'Approvals that an operator approved.',
      registers,
    }),
    makeCounterProvider({
      name: 'escalation_approvals_rejected_total',
      help: 'Approvals that an operator rejected.',
      registers,
    }),
    makeCounterProvider({
      name: 'escalation_approvals_timeout_total',
      help: 'Approvals that nobody decided in time.',
      registers,
    }),
    makeHistogramProvider({
      name: 'escalation_response_time_seconds',
      help: 'From the creation of an approval to the decision of a person.',
      buckets: DECISION_BUCKETS_SECONDS,
      registers,
    }),
    makeCounterProvider({
      name: 'telegram_api_requests_total',
      help: 'HTTP attempts at the Bot API.',
      labelNames: ['method'],
      registers,
    }),
    makeCounterProvider({
      name: 'telegram_api_failures_total',
      help: 'Failed HTTP attempts at the Bot API.',
      labelNames: ['method', 'reason'],
      registers,
    }),
    makeCounterProvider({
      name: 'telegram_api_retry_attempts_total',
      help: 'HTTP attempts at the Bot API that repeat a failed one.',
      labelNames: ['method'],
      registers,
    }),
    makeHistogramProvider({
      name: 'telegram_api_duration_seconds',
      help: 'Duration of an HTTP attempt at the Bot API; getUpdates waits by design.',
      labelNames: ['method'],
      buckets: CALL_BUCKETS_SECONDS,
      registers,
    }),
    makeGaugeProvider({
      name: 'approval_timeout_service_health',
      help: '1 while the sweep that ends overdue approvals goes through in time, else 0.',
      registers,
      inject: [TimeoutSweeper],
      collect(sweeper: TimeoutSweeper) {
        this.set(sweeper.health().healthy ? 1 : 0);
      },
    }),
    makeGaugeProvider({
      name: 'telegram_service_health',
      help: '1 while the way to the operators works, else 0; 0 as well when Telegram is off.',
      registers,
      inject: [TelegramStatus],
      collect({ health }: TelegramStatus) {
        this.set(health.enabled && health.degradedBecause === null ? 1 : 0);
      },
    }),
    makeCounterProvider({
      name: 'escalation_initializations_total',
      help: 'Escalations begun by this replica: one for each approval stored.',
      registers,
    }),
    makeCounterProvider({
      name: 'escalation_completions_total',
      help: 'Escalations ended by this replica, by the status of the approval.',
      labelNames: ['status'],
      registers,
    }),
  ];
}
