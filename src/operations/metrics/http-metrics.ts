import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ADAPTERS } from '../../agents/adapters';
import { RequestAnswered, RouteAdded } from './metric-events';
import { MetricsRecorder } from './metrics-recorder';

/** Method and route of a request that has no route. */
const OTHER = 'other';

/** Routes whose answers are held by design, for every request. */
const HELD_ROUTES: ReadonlySet<string> = new Set([
  '/api/approvals/:id/events',
  ...ADAPTERS.map(({ route }) => `/connectors/${route}`),
]);

function isHeld(route: string, query: unknown): boolean {
  if (HELD_ROUTES.has(route)) return true;
  const wait = (query as { wait?: unknown } | null | undefined)?.wait;
  return wait !== undefined && wait !== '0';
}

/** Times every answer after it is sent. The route is its template, and all unknown ones share one label. */
@Injectable()
export class HttpMetrics {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly recorder: MetricsRecorder,
  ) {}

  /** Call it before routes are registered, to begin their series at 0. */
  attach(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('onRoute', ({ method, url }) => this.begin([method].flat(), url));
    fastify.addHook('onResponse', (request, reply, done) => {
      this.recorder.record(answeredBy(request, reply));
      done();
    });
  }

  private begin(methods: readonly string[], route: string): void {
    for (const method of methods.filter((each) => each !== 'HEAD'))
      this.recorder.record(new RouteAdded(method, route, isHeld(route, null)));
  }
}

function answeredBy(request: FastifyRequest, reply: FastifyReply): RequestAnswered {
  const template = request.is404 ? undefined : request.routeOptions.url;
  const route = template ?? OTHER;
  const method = template === undefined ? OTHER : request.method;
  return new RequestAnswered(
    method,
    route,
    isHeld(route, request.query),
    reply.statusCode,
    reply.elapsedTime,
  );
}
