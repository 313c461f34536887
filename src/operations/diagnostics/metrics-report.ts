import { Injectable } from '@nestjs/common';
import { Registry } from 'prom-client';
import { Clock } from '../../kernel/clock';
import { summaryOf, type Bucket, type HistogramSummary } from './histogram-summary';

/** The sixteen metrics that users' dashboards rely on, by category; interface.md fixes the names. */
const CATEGORIES = {
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

/** A number over all labels; null: unknown, because the database is unavailable. */
type Reading = number | null | HistogramSummary;

interface Sample {
  readonly value: number;
  readonly metricName?: string;
  readonly labels: Readonly<Partial<Record<string, string | number>>>;
}

const total = (samples: readonly Sample[]): number => samples.reduce((sum, { value }) => sum + value, 0);

function histogram(name: string, samples: readonly Sample[]): HistogramSummary {
  const perBound = new Map<number, number>();
  for (const { labels, value } of samples) {
    const le = Number(labels.le);
    if (Number.isFinite(le)) perBound.set(le, (perBound.get(le) ?? 0) + value);
  }
  const buckets: Bucket[] = [...perBound].map(([le, count]) => ({ le, count })).sort((a, b) => a.le - b.le);
  const named = (suffix: string) => samples.filter(({ metricName }) => metricName === `${name}${suffix}`);
  return summaryOf(buckets, total(named('_count')), total(named('_sum')));
}

/** The sixteen metrics as JSON, for people and scripts without a Prometheus; the same numbers as a scrape. */
@Injectable()
export class MetricsReport {
  constructor(
    private readonly registry: Registry,
    private readonly clock: Clock,
  ) {}

  async read() {
    const [escalationQueue, approvalStatistics, telegramApi, systemHealth] = await Promise.all([
      this.category(CATEGORIES.escalationQueue),
      this.category(CATEGORIES.approvalStatistics),
      this.category(CATEGORIES.telegramApi),
      this.category(CATEGORIES.systemHealth),
    ]);
    const generatedAt = this.clock.now().toISOString();
    return { escalationQueue, approvalStatistics, telegramApi, systemHealth, generatedAt };
  }

  private async category<Name extends string>(names: readonly Name[]): Promise<Record<Name, Reading>> {
    const entries = await Promise.all(names.map(async (name) => [name, await this.reading(name)] as const));
    return Object.fromEntries(entries) as Record<Name, Reading>;
  }

  private async reading(name: string): Promise<Reading> {
    const metric = this.registry.getSingleMetric(name);
    if (!metric) throw new Error(`there is no metric ${name}`);
    const { values } = await metric.get();
    // Every bucket of a histogram has its bound as a label.
    if (values.some(({ labels }) => 'le' in labels)) return histogram(name, values);
    return values.length === 0 ? null : total(values);
  }
}
