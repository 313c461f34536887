import { Global, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIG, type Config } from '../config/environment';
import { Log } from '../logging/log';
import { CallerTraces } from './caller-traces';
import { NoTracing, Tracing } from './tracing';

export interface Service {
  readonly name: string;
  readonly version: string;
}

/** Loads OpenTelemetry only if it is used. */
async function tracingTo(endpoint: string | null, service: Service, log: Log): Promise<Tracing> {
  if (endpoint === null) return new NoTracing();
  const { OtlpTracing } = await import('./otlp-tracing.js');
  return new OtlpTracing(endpoint, service, log);
}

@Global()
@Module({})
export class TracingModule implements OnApplicationShutdown {
  constructor(private readonly tracing: Tracing) {}

  static of(service: Service): DynamicModule {
    return {
      module: TracingModule,
      providers: [
        CallerTraces,
        {
          provide: Tracing,
          inject: [CONFIG, Log],
          useFactory: (config: Config, log: Log) => tracingTo(config.tracing.endpoint, service, log),
        },
      ],
      exports: [Tracing],
    };
  }

  /** Runs after everything that makes spans has ended. */
  async onApplicationShutdown(): Promise<void> {
    await this.tracing.close();
  }
}
