import { Module, type DynamicModule } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { Registry } from 'prom-client';
import { AuditModule } from '../../audit/audit.module';
import { ApprovalsModule } from '../../approvals/approvals.module';
import type { Config } from '../../config/environment';
import { ConnectorsModule } from '../../agents/agents.module';
import { RetentionModule } from '../../retention/retention.module';
import { Backlog } from './backlog';
import { BacklogStore } from './backlog-store';
import { BREAKER, breakerProvider, BreakerWatch } from './breaker';
import { HttpMetrics } from './http-metrics';
import { MetricsController } from './metrics.controller';
import { MetricsListener } from './metrics-listener';
import { metricProviders } from './metrics';
import { PendingEstimate } from './pending-estimate';

/** prom-client's gauges that are named `_total`, which promtool rightly rejects; their `{type}` twins stay. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** Global, because the controller of the library's module needs our registry. */
@Module({})
export class MetricsModule {
  /** Creates a registry for each application instead of the process, so that replicas in one process stay separate. */
  static create({ metrics: { listener } }: Config): DynamicModule {
    const registry = new Registry();
    const library = PrometheusModule.register({
      controller: MetricsController,
      path: '/metrics',
      defaultMetrics: { enabled: true, config: { register: registry } },
    });
    for (const name of MISNAMED) registry.removeSingleMetric(name);
    return {
      module: MetricsModule,
      global: true,
      // With a separate listener, the main port does not have the path.
      imports: [
        listener === null ? library : { ...library, controllers: [] },
        ApprovalsModule,
        ConnectorsModule,
        RetentionModule,
        AuditModule,
      ],
      providers: [
        { provide: Registry, useValue: registry },
        ...metricProviders(registry),
        BacklogStore,
        Backlog,
        PendingEstimate,
        HttpMetrics,
        MetricsListener,
        breakerProvider,
        BreakerWatch,
      ],
      exports: [Registry, BREAKER],
    };
  }
}
