import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { CONFIG, type Config } from '../config/environment';
import { Tracing } from './tracing';

/** Continues the trace that a request names in its `traceparent` header. */
@Injectable()
export class CallerTraces {
  constructor(
    private readonly tracing: Tracing,
    private readonly host: HttpAdapterHost,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Call it before routes are registered. */
  attach(): void {
    if (this.config.tracing.endpoint === null) return;
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('onRequest', ({ headers: { traceparent } }, _reply, done) =>
      this.tracing.under([traceparent].flat()[0], done),
    );
  }
}
