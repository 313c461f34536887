import { Module, type DynamicModule, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { Registry } from 'prom-client';
import { AuditModule } from '../audit/audit.module';
import { ApprovalsModule } from '../approvals/approvals.module';
import type { Config } from '../config/environment';
import { ConnectorsModule } from '../connectors/connectors.module';
import { RetentionModule } from '../retention/retention.module';
import { Backlog } from './backlog';
import { BacklogStore } from './backlog-store';
import { BREAKER, breakerProvider, BreakerWatch } from './breaker';
import { escalationMetricProviders } from './escalation-metric-providers';
import { EscalationMetrics } from './escalation-metrics';
import { Harmless } from './harmless';
import { HttpMetrics } from './http-metrics';
import { MetricsController } from './metrics.controller';
import { MetricsListener } from './metrics-listener';
import { MetricsRecorder } from './metrics-recorder';
import { PendingEstimate } from './pending-estimate';
import { serviceMetricProviders } from './service-metric-providers';

/** prom-client's own that call a gauge `_total`, which promtool rightly refuses; their `{type}` twins stay. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** Global, because the scraped controller lives in the module of the library and needs our registry. */
@Module({})
export class MetricsModule implements NestModule {
  constructor(private readonly http: HttpMetrics) {}

  /** A registry for each application, not the process's: replicas in one process stay apart. */
  static create({ metrics: { listener } }: Config): DynamicModule {
    const registry = new Registry();
    const metrics = [...escalationMetricProviders(registry), ...serviceMetricProviders(registry)];
    const library = PrometheusModule.register({
      controller: MetricsController,
      path: '/metrics',
      defaultMetrics: { enabled: true, config: { register: registry } },
    });
    for (const name of MISNAMED) registry.removeSingleMetric(name);
    return {
      module: MetricsModule,
      global: true,
      // A listener of its own serves them: the main port does not know the path.
      imports: [
        listener === null ? library : { ...library, controllers: [] },
        ApprovalsModule,
        ConnectorsModule,
        RetentionModule,
        AuditModule,
      ],
      providers: [
        { provide: Registry, useValue: registry },
        ...metrics,
        BacklogStore,
        Backlog,
        PendingEstimate,
        EscalationMetrics,
        MetricsRecorder,
        Harmless,
        HttpMetrics,
        MetricsListener,
        breakerProvider,
        BreakerWatch,
      ],
      exports: [Registry, BREAKER],
    };
  }

  /** The first moment at which modules stand and routes do not. */
  configure(_consumer: MiddlewareConsumer): void {
    this.http.attach();
  }
}
