import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { HttpException } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { namedCorrelationId, withCorrelation, withNewCorrelation } from '../logging/correlation';
import { CORRELATION_HEADER } from './correlation-header';
import type { DoorLimits, FrontDoor } from './front-door';
import { PROBLEM_TYPE, problemOf, sendProblem } from './problem';
import { securityHeaders } from './security-headers';

/** Longer than any waiting call, so that a proxy's connection is never closed under it. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** A request must arrive within this; slow senders do not hold sockets for ever. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Its headers within this, which is far less work than a body on a slow line. */
const HEADERS_TIMEOUT_MS = 5_000;
/** Nothing was sent or received for so long, though a held call sends a heartbeat each 15 s and a wait ends after 55 s. */
const QUIET_TIMEOUT_MS = 120_000;
/** How often both are looked at; Node's own 30 s would let slow senders have twice their time. */
const TIMEOUT_CHECK_MS = 1_000;

const SECURITY_HEADERS = securityHeaders();

/**
 * Begins a call once it is the turn of its answer. Node hands over at once what a client sends ahead on one connection,
 * and never says of the calls behind the first one that their connection closed: what they hold would be held for ever.
 */
function inTurn(_request: FastifyRequest, { raw }: FastifyReply, begin: () => void): void {
  if (raw.socket === null) raw.once('socket', () => begin());
  else begin();
}

function correlated(request: FastifyRequest, reply: FastifyReply, work: () => void): void {
  const named = namedCorrelationId(request.headers['x-correlation-id'], request.headers.traceparent);
  const begin = (id: string) => {
    void reply.headers(SECURITY_HEADERS).header(CORRELATION_HEADER, id);
    work();
  };
  if (named === null) withNewCorrelation(begin);
  else withCorrelation(named, () => begin(named));
}

/** What Node refuses before there is a request: a code of its own, or bytes that are not HTTP. */
const REFUSED_STATUS: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** A refused caller has this long to read the answer and to close its side; then the descriptor is given back. */
const LINGER_MS = 1_000;

const refused = new WeakSet<Socket>();

/** Closed at once, a connection on which more arrives is reset, and its caller may never see the answer. */
function linger(socket: Socket): void {
  refused.add(socket);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  // More bytes of a caller that is answered already.
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

/** The limits of {@link createHttpAdapter}, for a server that is made before it. */
export const DOOR_LIMITS: DoorLimits = {
  options: {
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
  },
  socketTimeoutMs: QUIET_TIMEOUT_MS,
};

/** @param door listens already; null: the application listens by itself */
export function createHttpAdapter(door: FrontDoor | null = null): FastifyAdapter {
  const adapter = new FastifyAdapter({
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: QUIET_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    ...(door && { serverFactory: (handler: RequestListener) => door.handTo(handler) }),
    forceCloseConnections: 'idle',
    // What has reached us when we close is answered as ever, and told to connect anew the next time.
    return503OnClosing: false,
    // A slash too many is a slip in somebody's settings, and no other place.
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    // Requests that never become one for Nest: bad URLs and headers, and bytes that are no request at all.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      correlated(request, reply, () => sendProblem(reply, problemOf(error))),
    clientErrorHandler: refuse,
  });
  adapter.getInstance().addHook('onRequest', inTurn).addHook('onRequest', correlated);
  return adapter;
}
