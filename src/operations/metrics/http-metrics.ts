import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter, Histogram } from 'prom-client';
import { Harmless } from './harmless';
import { OTHER } from './labels';

/** Routes whose answers are held by design, for every request. */
const HELD_ROUTES: ReadonlySet<string> = new Set([
  '/api/approvals/:id/events',
  '/connectors/claude-code/hook',
  '/connectors/mcp',
]);

function isHeld(route: string, query: unknown): boolean {
  if (HELD_ROUTES.has(route)) return true;
  const wait = (query as { wait?: unknown } | null | undefined)?.wait;
  return wait !== undefined && wait !== '0';
}

/** Times every answer after it is sent. The route is its template, and all unknown ones share one label. */
@Injectable()
export class HttpMetrics {
  @InjectMetric('http_request_duration_seconds') private readonly duration!: Histogram;
  @InjectMetric('http_requests_total') private readonly requests!: Counter;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly harmless: Harmless,
  ) {}

  /** Call it before routes are registered, to begin their series at 0. */
  attach(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('onRoute', ({ method, url }) => this.begin([method].flat(), url));
    fastify.addHook('onResponse', (request, reply, done) => {
      this.harmless.do(() => this.record(request, reply));
      done();
    });
  }

  private begin(methods: readonly string[], route: string): void {
    for (const method of methods.filter((each) => each !== 'HEAD')) {
      this.duration.zero({ method, route, held: String(isHeld(route, null)) });
      this.requests.inc({ method, route, status: '2xx' }, 0);
    }
  }

  private record(request: FastifyRequest, reply: FastifyReply): void {
    const template = request.is404 ? undefined : request.routeOptions.url;
    const route = template ?? OTHER;
    const method = template === undefined ? OTHER : request.method;
    const held = String(isHeld(route, request.query));
    this.duration.observe({ method, route, held }, reply.elapsedTime / 1000);
    this.requests.inc({ method, route, status: `${Math.floor(reply.statusCode / 100)}xx` });
  }
}
