import type { Provider } from '@nestjs/common';
import { getToken } from '@willsoto/nestjs-prometheus';
import type { Registry } from 'prom-client';
import { APPROVAL_METRICS } from './approval-metrics';
import { DELIVERY_METRICS } from './delivery-metrics';
import type { Metric } from './metric';
import { MetricsRecorder, RECORDINGS } from './metrics-recorder';
import { POLICY_METRICS } from './policy-metrics';
import { REPLICA_METRICS } from './replica-metrics';

/** The table of all metrics. To add one, add a row to the file of its subject. */
const METRICS: readonly Metric[] = [
  ...APPROVAL_METRICS,
  ...POLICY_METRICS,
  ...DELIVERY_METRICS,
  ...REPLICA_METRICS,
];

/** The metrics of the table, each in this registry, and the recorder that passes events to them. */
export const metricProviders = (registry: Registry): Provider[] => [
  ...METRICS.map(({ provider }) => provider(registry)),
  {
    provide: RECORDINGS,
    inject: METRICS.map(({ name }) => getToken(name)),
    useFactory: (...instances: unknown[]) =>
      METRICS.flatMap(({ connect }, index) => connect(instances[index])),
  },
  MetricsRecorder,
];
