import { pipeline } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { EventBus } from '@nestjs/cqrs';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { presentedKey } from '../access/access.guard';
import { KeyRing } from '../access/key-ring';
import { MAX_DISCARDED_BYTES } from '../http/problem';
import { Log } from '../logging/log';
import type { SpottedBody } from './adapter';
import { ConnectorAnswered } from './connector-events';
import { membersOf } from './member-spotter';
import { INSPECTED_OF_STRANGERS, PassingBody } from './passing-body';
import { denialFor, mayMeanConnector, NOTHING_SPOTTED, TELLING } from './refused-calls';

const OK = 200;
const FAILED_FROM = 300;

const isWatched = ({ method, url }: FastifyRequest): boolean => method === 'POST' && mayMeanConnector(url);

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

/**
 * Answers every refused call of a connector with 200 and a denial in the form that its agent understands. The cause may
 * be a revoked key, an unreadable or oversized body, a limit or a mistyped address.
 */
@Injectable()
export class CallsNeverFail {
  private readonly passing = new WeakMap<FastifyRequest, PassingBody>();

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly keys: KeyRing,
    private readonly events: EventBus,
    private readonly log: Log,
  ) {}

  /** Must be called before routes are registered. */
  attach(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('preParsing', (request, _reply, payload, done) => {
      done(null, isWatched(request) ? this.watch(request, payload) : payload);
    });
    // The parsed body stays in memory while the call waits; its spotter is no longer needed.
    fastify.addHook('preValidation', (request, _reply, done) => {
      this.passing.delete(request);
      done();
    });
    fastify.addHook('onSend', (request, reply, payload, done) => {
      if (reply.statusCode < FAILED_FROM || !isWatched(request)) {
        done(null, payload);
        return;
      }
      void this.answer(request, reply, payload).then((answer) => done(null, answer));
    });
  }

  private watch(request: FastifyRequest, payload: NodeJS.ReadableStream): PassingBody {
    const passing = new PassingBody();
    this.passing.set(request, passing);
    // pipeline passes a failure on to the reader of the stream.
    pipeline(payload, passing, () => undefined);
    return passing;
  }

  private async answer(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
    const reason = reasonIn(payload);
    const isKnown = await this.hasValidKey(request);
    const limit = isKnown ? MAX_DISCARDED_BYTES : INSPECTED_OF_STRANGERS;
    const denial = denialFor(request.url, await this.spottedIn(request, limit), reason);
    if (denial === null) return payload;
    const { connector, calls, answer } = denial;
    const { statusCode: status } = reply;
    const fields = { connector, status, reason };
    // Anybody can send calls without a key; the access log has one line a minute for each source of them.
    this.log.event(isKnown ? 'warn' : 'debug', 'connector.refused', fields, 'an agent was denied unasked');
    for (let n = 0; n < (isKnown ? calls : 1); n++)
      this.events.publish(new ConnectorAnswered(connector, 'failed'));
    void reply.status(OK).header('content-type', 'application/json; charset=utf-8');
    return JSON.stringify(answer);
  }

  /** False also while keys cannot be read. */
  private async hasValidKey(request: FastifyRequest): Promise<boolean> {
    const key = presentedKey(request);
    if (key === null) return false;
    try {
      return (await this.keys.identify(key)) !== null;
    } catch {
      return false; // the refusal, which is the answer, has the reason
    }
  }

  private spottedIn(request: FastifyRequest, limit: number): SpottedBody | Promise<SpottedBody> {
    const { raw, headers, body } = request;
    if (body !== undefined) return membersOf(body, TELLING);
    if (Number(headers['content-length'] ?? 0) > MAX_DISCARDED_BYTES) return NOTHING_SPOTTED;
    // The call was refused before anything read its body.
    const passing = this.passing.get(request) ?? (raw.readableEnded ? null : this.watch(request, raw));
    return passing ? passing.spotted(limit) : NOTHING_SPOTTED;
  }
}
