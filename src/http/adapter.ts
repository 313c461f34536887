import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { InvalidInput } from '../kernel/errors';
import { parseStrictJson, StrictJsonError } from '../kernel/strict-json';
import { correlationIdFrom, withCorrelation } from '../logging/correlation';
import { problemOf, sendProblem } from './problem';

/** Larger bodies get 413 before they are parsed. */
export const BODY_LIMIT_BYTES = 256 * 1024;
/** Longer than any waiting call, so that a proxy's connection is never closed under it. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** A request must arrive within this; slow senders do not hold sockets for ever. */
const REQUEST_TIMEOUT_MS = 30_000;

function parsed(body: Buffer): unknown {
  try {
    return parseStrictJson(body);
  } catch (error) {
    throw error instanceof StrictJsonError ? new InvalidInput(error.errors) : error;
  }
}

function prepare(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const id = correlationIdFrom(request.headers['x-correlation-id'], request.headers.traceparent);
    void reply.header('x-correlation-id', id);
    withCorrelation(id, done);
  });
  fastify.removeContentTypeParser(['application/json', 'text/plain']);
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: BODY_LIMIT_BYTES },
    (_request: FastifyRequest, body: Buffer, done) => {
      try {
        done(null, parsed(body));
      } catch (error) {
        done(error as Error);
      }
    },
  );
}

export function createHttpAdapter(): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
    // Requests that never become one for Nest: bad URLs and headers.
    frameworkErrors: (error: Error, _request: FastifyRequest, reply: FastifyReply) =>
      sendProblem(reply, problemOf(error)),
  });
  prepare(adapter.getInstance());
  return adapter;
}
