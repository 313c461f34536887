import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { HttpException } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { namedCorrelationId, withCorrelation, withNewCorrelation } from '../logging/correlation';
import { CORRELATION_HEADER } from './correlation-header';
import type { DoorLimits, FrontDoor } from './front-door';
import { beginInTurn } from './in-turn';
import { PROBLEM_TYPE, problemOf, sendProblem } from './problem';
import { securityHeaders } from './security-headers';

/** Longer than any waiting call, so that the service never closes a proxy's connection during one. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** Timeout of a whole request, so that slow senders do not hold sockets for ever. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Timeout of its headers, which need much less time than a body on a slow line. */
const HEADERS_TIMEOUT_MS = 5_000;
/** Idle timeout of a connection. A held call sends a heartbeat every 15 s, and a wait ends after 55 s. */
const QUIET_TIMEOUT_MS = 120_000;
/** Interval of the checks of both; Node's default of 30 s would give slow senders twice their time. */
const TIMEOUT_CHECK_MS = 1_000;

const SECURITY_HEADERS = securityHeaders();

function correlated(request: FastifyRequest, reply: FastifyReply, work: () => void): void {
  const named = namedCorrelationId(request.headers['x-correlation-id'], request.headers.traceparent);
  const begin = (id: string) => {
    void reply.headers(SECURITY_HEADERS).header(CORRELATION_HEADER, id);
    work();
  };
  if (named === null) withNewCorrelation(begin);
  else withCorrelation(named, () => begin(named));
}

/** Statuses for requests that Node refuses itself: errors with a code of their own, or bytes that are not HTTP. */
const REFUSED_STATUS: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** Time for a refused caller to read the answer and close its side; then the socket is destroyed. */
const LINGER_MS = 1_000;

const refused = new WeakSet<Socket>();

/**
 * Closes the socket later. If closed at once while data arrives, the connection is reset, and the caller may not see
 * the answer.
 */
function linger(socket: Socket): void {
  refused.add(socket);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  // More bytes of a caller that was answered already.
  if (refused.has(socket)) return;
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  linger(socket);
  const refusal = new HttpException(error.message, REFUSED_STATUS[error.code ?? ''] ?? 400);
  const document = withNewCorrelation(() => problemOf(refusal));
  const body = JSON.stringify(document);
  socket.end(
    [
      `HTTP/1.1 ${document.status} ${document.title}`,
      `content-type: ${PROBLEM_TYPE}`,
      `content-length: ${Buffer.byteLength(body)}`,
      `${CORRELATION_HEADER}: ${document.correlationId}`,
      ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

/** The limits of {@link createHttpAdapter}, for a server that is created before it. */
export const DOOR_LIMITS: DoorLimits = {
  options: {
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
  },
  socketTimeoutMs: QUIET_TIMEOUT_MS,
};

/** @param door a server that listens already; null: the application listens by itself */
export function createHttpAdapter(door: FrontDoor | null = null): FastifyAdapter {
  const adapter = new FastifyAdapter({
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: QUIET_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    ...(door && { serverFactory: (handler: RequestListener) => door.handTo(handler) }),
    forceCloseConnections: 'idle',
    // Requests that arrived before the close are answered as usual, with `connection: close`.
    return503OnClosing: false,
    // Extra slashes are a typing error in a client's settings, so they match the same route.
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    // Requests that never reach Nest: bad URLs and headers, and bytes that are not a request.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      correlated(request, reply, () => sendProblem(reply, problemOf(error))),
    clientErrorHandler: refuse,
  });
  adapter
    .getInstance()
    .addHook('onRequest', (request, reply, begin) => beginInTurn(request.raw, reply.raw, begin))
    .addHook('onRequest', correlated);
  return adapter;
}
