import { pipeline, Transform } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { EventBus } from '@nestjs/cqrs';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { MAX_DISCARDED_BYTES } from '../http/problem';
import type { JsonObject } from '../kernel/json';
import { Log } from '../logging/log';
import { failure } from './answers';
import { ConnectorAnswered } from './connector-events';
import { JsonRpcSpotter, spotted, type SpottedRequest } from './json-rpc-spotter';
import { REFUSED_BY_HTTP } from './mcp-messages';
import { refusedCall } from './mcp-tools';

const ROUTE = '/connectors/mcp';
const LIKE_ROUTE = /^\/+connectors\/+mcp\/*(?:[?#]|$)/i;
const OK = 200;
const FAILED_FROM = 400;

/** The router decodes the path; a mistyped address reaches no route. */
const isMcp = ({ method, url, routeOptions }: FastifyRequest): boolean =>
  method === 'POST' && (routeOptions.url === ROUTE || LIKE_ROUTE.test(url));

const isCall = ({ method }: SpottedRequest): boolean => method === 'tools/call';

/** The requests in a body that was understood as JSON. */
function requestsIn(body: unknown): SpottedRequest[] {
  const messages: unknown[] = Array.isArray(body) ? body : [body];
  return messages.flatMap((message) => {
    const { id, method, params } = (message ?? {}) as JsonObject;
    const request = spotted({ id, method, tool: (params as JsonObject | null | undefined)?.name });
    return request ? [request] : [];
  });
}

function reasonIn(refusal: unknown): string {
  try {
    const { detail, error } = JSON.parse(String(refusal)) as {
      detail?: unknown;
      error?: { message?: unknown };
    };
    return String(detail ?? error?.message).replace(/\.$/, '');
  } catch {
    return 'the request was refused';
  }
}

/** The bytes of a body on their way to where they are parsed, looked at as they pass. */
class Passing extends Transform {
  private readonly spotter = new JsonRpcSpotter();

  override _transform(bytes: Buffer, _encoding: string, done: (error: null, bytes: Buffer) => void): void {
    this.spotter.take(bytes);
    done(null, bytes);
  }

  /** Lets what is left pass, as far as it comes, to nobody. */
  async requests(): Promise<SpottedRequest[]> {
    this.resume();
    await finished(this).catch(() => undefined);
    this.spotter.end();
    return this.spotter.requests;
  }
}

/**
 * To a model, an HTTP error of its permission prompt is a tool that is broken, and no denial. So a call of a tool that is
 * refused, wherever on its way, is answered with a result of that tool which denies.
 */
@Injectable()
export class McpCallsNeverFail {
  private readonly passing = new WeakMap<FastifyRequest, Passing>();

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly events: EventBus,
    private readonly log: Log,
  ) {}

  /** Must be called before routes are registered. */
  attach(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('preParsing', (request, _reply, payload, done) => {
      if (!isMcp(request)) {
        done(null, payload);
        return;
      }
      const passing = new Passing();
      this.passing.set(request, passing);
      // Whoever reads it sees the failure; pipeline passes it on.
      pipeline(payload, passing, () => undefined);
      done(null, passing);
    });
    // What was parsed is kept for as long as the call waits, the way there is not.
    fastify.addHook('preValidation', (request, _reply, done) => {
      this.passing.delete(request);
      done();
    });
    fastify.addHook('onSend', (request, reply, payload, done) => {
      if (reply.statusCode < FAILED_FROM || !isMcp(request)) {
        done(null, payload);
        return;
      }
      void this.answer(request, reply, payload).then((answer) => done(null, answer));
    });
  }

  private async answer(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
    const requests = await this.requestsOf(request);
    if (!requests.some(isCall)) return payload;
    const { statusCode: status } = reply;
    const reason = reasonIn(payload);
    this.log.event('warn', 'connector.refused', { status, reason }, 'an MCP call was denied unasked');
    const answers = requests.map((each) => this.refusalOf(each, reason));
    void reply.status(OK).header('content-type', 'application/json; charset=utf-8');
    return JSON.stringify(answers.length === 1 ? answers[0] : answers);
  }

  private async requestsOf(request: FastifyRequest): Promise<SpottedRequest[]> {
    const passing = this.passing.get(request);
    if (!passing) return requestsIn(request.body);
    return Number(request.headers['content-length'] ?? 0) > MAX_DISCARDED_BYTES ? [] : passing.requests();
  }

  private refusalOf(request: SpottedRequest, reason: string): JSONRPCMessage {
    const { id, tool } = request;
    if (!isCall(request)) return { jsonrpc: '2.0', id, error: { code: REFUSED_BY_HTTP, message: reason } };
    this.events.publish(new ConnectorAnswered('mcp', 'failed'));
    return { jsonrpc: '2.0', id, result: refusedCall(tool, failure(reason)) };
  }
}
