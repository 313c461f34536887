import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { EventBus } from '@nestjs/cqrs';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Log } from '../logging/log';
import { failure } from './answers';
import { gatingEventOf, hookOutput } from './claude-code-hook';
import { ConnectorAnswered } from './connector-events';

const ROUTE = '/connectors/claude-code/hook';
const LIKE_ROUTE = /^\/+connectors\/+claude-code\/+hook\/*(?:[?#]|$)/i;
const OK = 200;

/** True if somebody who calls this URL means the hook. */
export const meansHookPath = (url: string): boolean => LIKE_ROUTE.test(url);

/** A mistyped address must not set the agent free either: it is denied what it asks, and told why. */
function meansHook({ method, url, routeOptions }: FastifyRequest): boolean {
  return routeOptions.url === ROUTE || (method === 'POST' && meansHookPath(url));
}

function reasonIn(problem: unknown): string {
  try {
    const { detail } = JSON.parse(String(problem)) as { detail?: unknown };
    return String(detail).replace(/\.$/, '');
  } catch {
    return 'the request was refused';
  }
}

/**
 * Claude Code takes a refusal (a revoked key, an unreadable or oversized body, a limit) for no decision, and some
 * permission modes then run the tool: revoking a key would set the agent free. So a refused hook call is a denial.
 */
@Injectable()
export class HookNeverFails {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly events: EventBus,
    private readonly log: Log,
  ) {}

  /** Must be called before routes are registered. */
  attach(): void {
    this.host.httpAdapter
      .getInstance<FastifyInstance>()
      .addHook('onSend', (request, reply, payload, done) => {
        const failed = reply.statusCode !== OK && meansHook(request);
        done(null, failed ? this.denial(request, reply, payload) : payload);
      });
  }

  private denial(request: FastifyRequest, reply: FastifyReply, payload: unknown): string {
    const reason = reasonIn(payload);
    this.log.event(
      'warn',
      'connector.refused',
      { status: reply.statusCode, reason },
      'a hook call was denied unasked',
    );
    this.events.publish(new ConnectorAnswered('hook', 'failed'));
    void reply.status(OK).header('content-type', 'application/json; charset=utf-8');
    const event = gatingEventOf(request.body);
    return JSON.stringify(event === null ? {} : hookOutput(event, { answer: failure(reason), ending: null }));
  }
}
