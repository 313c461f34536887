import {
  Global,
  Inject,
  Module,
  type DynamicModule,
  type MiddlewareConsumer,
  type NestModule,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { CONFIG, type Config } from '../config/environment';
import { Log } from '../logging/log';
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
export class TracingModule implements NestModule, OnApplicationShutdown {
  constructor(
    private readonly tracing: Tracing,
    private readonly host: HttpAdapterHost,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  static of(service: Service): DynamicModule {
    return {
      module: TracingModule,
      providers: [
        {
          provide: Tracing,
          inject: [CONFIG, Log],
          useFactory: (config: Config, log: Log) => tracingTo(config.tracing.endpoint, service, log),
        },
      ],
      exports: [Tracing],
    };
  }

  /** The first moment at which modules exist and routes do not. */
  configure(_consumer: MiddlewareConsumer): void {
    if (this.config.tracing.endpoint === null) return;
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('onRequest', ({ headers: { traceparent } }, _reply, done) =>
      this.tracing.under([traceparent].flat()[0], done),
    );
  }

  /** Runs after everything that makes spans has ended. */
  async onApplicationShutdown(): Promise<void> {
    await this.tracing.close();
  }
}
