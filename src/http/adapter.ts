import type { IncomingMessage, RequestListener, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { HttpException } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { namedCorrelationId, withCorrelation, withNewCorrelation } from '../logging/correlation';
import { CORRELATION_HEADER } from './correlation-header';
import { serveAnyExpectation, type DoorLimits, type FrontDoor } from './front-door';
import { beginInTurn, owesAnswer } from './in-turn';
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
  if (!socket.writable || error.code === 'ECONNRESET' || owesAnswer(socket)) return void socket.destroy();
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

/** Options that Fastify does not pass on to Node by itself. */
const NODE_OPTIONS: ServerOptions = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  connectionsCheckingInterval: TIMEOUT_CHECK_MS,
  // Node would answer with an empty 400; {@link refuseMalformed} answers as for every other error.
  requireHostHeader: false,
};

/**
 * Escapes `%` in a path that cannot be decoded, except before ASCII characters. The router then accepts the path, so
 * that {@link refuseMalformed} answers as for every other error.
 */
function decodableUrl({ url = '' }: IncomingMessage): string {
  try {
    decodeURI(url.split(/[?#]/, 1)[0] ?? '');
    return url;
  } catch {
    return url.replace(/%(?![0-7][\da-f])/gi, '%25');
  }
}

/** The fault of a request that Node or the router would refuse without a problem document; null if it has none. */
function malformation({ raw, headers, originalUrl }: FastifyRequest): string | null {
  if (raw.httpVersion === '1.1' && headers.host === undefined) return 'HTTP/1.1 requires the header Host.';
  if (originalUrl !== raw.url) return 'The path has an invalid percent escape; write "%" as "%25".';
  return null;
}

/** A hook, so that the connectors can turn the refusal of a call into a denial. */
function refuseMalformed(request: FastifyRequest, reply: FastifyReply, proceed: () => void): void {
  const fault = malformation(request);
  if (fault === null) proceed();
  else sendProblem(reply, problemOf(new HttpException(fault, 400)));
}

/** The limits of {@link createHttpAdapter}, for a server that is created before it. */
export const DOOR_LIMITS: DoorLimits = {
  options: {
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    ...NODE_OPTIONS,
  },
  socketTimeoutMs: QUIET_TIMEOUT_MS,
};

/** @param door a server that listens already; null: the application listens by itself */
export function createHttpAdapter(door: FrontDoor | null = null): FastifyAdapter {
  const adapter = new FastifyAdapter({
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: QUIET_TIMEOUT_MS,
    http: NODE_OPTIONS,
    ...(door && { serverFactory: (handler: RequestListener) => door.handTo(handler) }),
    forceCloseConnections: 'idle',
    // Requests that arrived before the close are answered as usual, with `connection: close`.
    return503OnClosing: false,
    // Extra slashes are a typing error in a client's settings, so they match the same route.
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    rewriteUrl: decodableUrl,
    // Requests that never reach Nest: a path with a parameter that is too long, and bytes that are not a request.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      correlated(request, reply, () => sendProblem(reply, problemOf(error))),
    clientErrorHandler: refuse,
  });
  const fastify = adapter.getInstance();
  if (!door) serveAnyExpectation(fastify.server);
  fastify
    .addHook('onRequest', (request, reply, begin) => beginInTurn(request.raw, reply.raw, begin))
    .addHook('onRequest', correlated)
    .addHook('onRequest', refuseMalformed);
  return adapter;
}
