import { ArgumentsHost, Catch, HttpException, Injectable, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError, InvalidInput, RateLimited, type DomainCode } from '../kernel/errors';
import { currentCorrelationId } from '../logging/correlation';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';

/** The one table that maps the domain's codes to HTTP statuses. */
const HTTP_STATUS = {
  'request.invalid': 400,
  'request.misdirected': 421,
  'request.no-room': 503,
  'access.unauthenticated': 401,
  'access.forbidden': 403,
  'access.cross-site': 403,
  'access.same-owner': 403,
  'access.rate-limited': 429,
  'approval.not-found': 404,
  'approval.already-settled': 409,
  'approval.expired': 409,
  'approval.not-settled': 409,
  'approval.not-decidable': 409,
  'approval.shown-otherwise': 409,
  'reason.required': 400,
  'approval.already-acknowledged': 409,
  'idempotency.body-differs': 422,
  'approval.claimed': 409,
  'approval.no-more-time': 409,
  'approval.too-many-pending': 429,
  'policy.invalid': 400,
  'policy.stale': 412,
  'policy.second-person': 403,
  'policy.unsupported': 409,
  'policy.managed': 409,
  'policy.not-found': 404,
  'policy.unfinished': 503,
  'grant.not-permitted': 409,
  'grant.not-found': 404,
  'quorum.not-eligible': 403,
  'passkey.refused': 403,
  'passkey.required': 403,
  'passkey.not-found': 404,
  'oidc.refused': 401,
  'oidc.unavailable': 503,
  'key.not-found': 404,
  'search.too-broad': 422,
  'database.unavailable': 503,
  'telegram.unavailable': 503,
  'receipt.unavailable': 503,
  'audit.checkpoint-unwritable': 503,
} satisfies Record<DomainCode, number>;

const TITLE: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** Default `Retry-After` in seconds, for errors without their own. */
const RETRY_AFTER_SECONDS = 5;

/** An RFC 9457 problem document. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly correlationId: string;
  /** With 429: whole seconds until a retry is accepted. */
  readonly retryAfterSeconds?: number;
  readonly [extension: string]: unknown;
}

function httpCode(status: number): string {
  switch (status) {
    case 404:
      return 'request.route-unknown';
    case 405:
      return 'request.method-not-allowed';
    case 413:
      return 'request.too-large';
    case 415:
      return 'request.media-type-unsupported';
    default:
      return status >= 500 ? 'internal' : 'request.invalid';
  }
}

function extensions(error: DomainError): object {
  if (error instanceof InvalidInput) return { errors: error.errors };
  if (error instanceof RateLimited) return { retryAfterSeconds: error.retryAfterSeconds };
  return {};
}

function problem(status: number, code: string, detail: string, more: object = {}): Problem {
  return {
    type: `urn:countersign:problem:${code}`,
    title: TITLE[status] ?? 'Error',
    status,
    code,
    detail,
    correlationId: currentCorrelationId() ?? 'unknown',
    ...more,
  };
}

/** Statuses of client errors that the framework itself found: unknown route, body too large, wrong media type. */
function frameworkStatus(error: unknown): number {
  const status =
    error instanceof HttpException
      ? error.getStatus()
      : (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
}

function detailOf(error: unknown, status: number): string {
  if (!(error instanceof Error)) return 'The request was refused.';
  // Fastify's own text only repeats the title.
  return status === 415 && error.message === TITLE[415]
    ? 'Send Content-Type: application/json.'
    : error.message;
}

/** `more`: further members of the problem document of a DomainError. */
export function problemOf(error: unknown, more: object = {}): Problem {
  if (error instanceof DomainError) {
    return problem(HTTP_STATUS[error.code], error.code, error.message, { ...extensions(error), ...more });
  }
  const status = frameworkStatus(error);
  if (status >= 500) {
    return problem(500, 'internal', 'Something went wrong here; the log has it under the correlation id.');
  }
  const detail = detailOf(error, status);
  const code = httpCode(status);
  return problem(
    status,
    code,
    detail,
    code === 'request.invalid' ? { errors: [{ path: '', message: detail }] } : {},
  );
}

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** Maximum size of a body that is read only to be discarded; the request's timeout limits its time. */
export const MAX_DISCARDED_BYTES = 64 * 1024 * 1024;

/**
 * Keeps the connection open, so that Node reads and discards the rest of the body. Fastify would close the connection
 * under a body that is too large. That resets it, and a caller that is still sending never sees the answer.
 */
function letBodyEnd(reply: FastifyReply): void {
  if (Number(reply.request.headers['content-length'] ?? 0) <= MAX_DISCARDED_BYTES)
    void reply.removeHeader('connection');
}

export function sendProblem(reply: FastifyReply, document: Problem): void {
  letBodyEnd(reply);
  if (document.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (document.status === 429 || document.status === 503) {
    void reply.header('retry-after', String(document.retryAfterSeconds ?? RETRY_AFTER_SECONDS));
  }
  void reply.status(document.status).header('content-type', PROBLEM_TYPE).send(JSON.stringify(document));
}

/** Sends every error as application/problem+json. Errors of the service are logged, and their details are not sent. */
@Catch()
@Injectable()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(error: unknown, host: ArgumentsHost): void {
    // Nest calls this filter also for updates from Telegram, which have no reply: their receiver handles the error.
    if (host.getType() !== 'http') throw error;
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    const document = problemOf(error);
    if (document.status >= 500) {
      const { method, url } = http.getRequest<FastifyRequest>();
      this.log.event(
        'error',
        'http.failed',
        {
          method,
          path: url.split('?')[0],
          status: document.status,
          error: describeError(error),
          stack: error instanceof Error ? error.stack : undefined,
        },
        'a request failed',
      );
    }
    // An answer that has begun cannot become a problem document; only cutting it shows that it failed.
    if (reply.sent || reply.raw.headersSent) reply.raw.destroy();
    else sendProblem(reply, document);
  }
}
