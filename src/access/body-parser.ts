import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpException, Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { actorOf, type Identity } from './identity';
import { KeyRing } from './key-ring';
import { Sessions } from './sessions/sessions';
import { sourceOf } from './source';
import { RefusalLog } from '../audit/refusal-log';
import { CONFIG, type Config } from '../config/environment';
import { auditName } from '../kernel/actor';
import { DomainError } from '../kernel/errors';
import type { JsonValue } from '../kernel/json';
import { parseStrictJson, parseStrictJsonInTurns } from '../kernel/strict-json';
import { currentCorrelationId } from '../logging/correlation';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import { presentedKey } from './access.guard';
import { BodyTooLarge, noRoom, OpenBodies, type OpenBody } from './open-bodies';

/** The limit of routes that do not take an action to approve, and of callers without a valid key. */
const SMALL_LIMIT_BYTES = 256 * 1024;
/** Smaller bodies are neither counted nor parsed in turns: they arrive at once, and many of them fit. */
const COUNTED_FROM_BYTES = 16 * 1024;

const YAML = 'application/yaml';

/** For `RouteConfig`: clients may send a content type with an empty body. */
export const BODY_OPTIONAL = { bodyOptional: true } as const;
/** For `RouteConfig`: the body holds an action, and may be as large as `HTTP_BODY_LIMIT_KIB`. */
export const LARGE_BODY = { largeBody: true } as const;
/** For a route's config: its sender is known, and sends numbers that nobody approves. */
export const ANY_NUMBERS = { anyNumbers: true } as const;

/** For `RouteConfig`: the route reads the text of a YAML or JSON document itself, so that faults have their place. */
export const DOCUMENT_BODY = { ...LARGE_BODY, documentBody: true } as const;

type BodyConfig = Partial<
  typeof BODY_OPTIONAL & typeof LARGE_BODY & typeof ANY_NUMBERS & typeof DOCUMENT_BODY
>;

const configOf = ({ routeOptions }: FastifyRequest): BodyConfig =>
  (routeOptions.config as BodyConfig | undefined) ?? {};

interface Sender {
  /** Owner of the memory share that the body takes. */
  readonly id: string;
  /** The actor for the audit log. */
  readonly actor: string;
  readonly limitBytes: number;
  /** The advice for a body that is too large. */
  readonly advice: string;
}

/** Refuses compressed bodies: a small body that expands is an attack more often than a need. */
function refuseEncoded({ headers: { 'content-encoding': encoding = 'identity' } }: FastifyRequest): void {
  if (encoding !== 'identity')
    throw new HttpException(`Send the body as it is, without Content-Encoding ${encoding}.`, 415);
}

/** The announced length of the body; null if the caller announced none. */
function announcedBytes({ headers: { 'content-length': length } }: FastifyRequest): number | null {
  return length === undefined ? null : Number(length);
}

function isCounted(request: FastifyRequest): boolean {
  const bytes = announcedBytes(request);
  return bytes === null ? 'transfer-encoding' in request.headers : bytes >= COUNTED_FROM_BYTES;
}

/** @throws HttpException for bytes that are not UTF-8: a replacement character could change a rule. */
function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new HttpException('The document is not UTF-8.', 400);
  }
}

/** Telegram's numbers are not approved by anybody, and Telegram would repeat a refused update for ever. */
function parseAnyNumbers(bytes: Buffer): JsonValue {
  try {
    return JSON.parse(bytes.toString('utf8')) as JsonValue;
  } catch {
    return parseStrictJson(bytes);
  }
}

/** Reads request bodies: each up to its limit, all together up to a limit of memory. */
@Injectable()
export class BodyParser {
  private readonly answers = new WeakMap<FastifyRequest, ServerResponse>();

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly keys: KeyRing,
    private readonly sessions: Sessions,
    private readonly bodies: OpenBodies,
    private readonly refusals: RefusalLog,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Call it before the server accepts requests. */
  attach(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('preParsing', (request, reply, payload, done) => {
      if (isCounted(request)) this.answers.set(request, reply.raw);
      done(null, payload);
    });
    fastify.removeContentTypeParser(['application/json', 'text/plain']);
    fastify.addContentTypeParser(
      ['application/json', YAML],
      (request: FastifyRequest, payload: IncomingMessage) => this.read(request, payload),
    );
  }

  private async read(request: FastifyRequest, payload: IncomingMessage): Promise<JsonValue | undefined> {
    refuseEncoded(request);
    const { bodyOptional = false, anyNumbers = false, documentBody = false } = configOf(request);
    if (!documentBody && request.headers['content-type']?.startsWith(YAML))
      throw new HttpException('Send Content-Type: application/json.', 415);
    const answer = this.answers.get(request);
    const bytes = answer
      ? await this.readCounted(request, payload, answer)
      : await this.collect(payload, COUNTED_FROM_BYTES, null);
    // Null cannot occur without counting: Node reads no more than the announced length.
    if (bytes === null || (bytes.length === 0 && bodyOptional)) return undefined;
    if (documentBody) return textOf(bytes);
    if (anyNumbers) return parseAnyNumbers(bytes);
    return answer ? parseStrictJsonInTurns(bytes) : parseStrictJson(bytes);
  }

  private async readCounted(
    request: FastifyRequest,
    payload: IncomingMessage,
    answer: ServerResponse,
  ): Promise<Buffer> {
    const sender = await this.senderOf(request);
    const announced = announcedBytes(request);
    const bytes =
      (announced ?? 0) > sender.limitBytes
        ? null
        : await this.collect(payload, sender.limitBytes, this.bodies.open(sender.id, answer));
    if (bytes !== null) return bytes;
    await this.noteTooLarge(sender, request.routeOptions.url, announced);
    throw new BodyTooLarge(sender.limitBytes, announced, sender.advice);
  }

  private async senderOf(request: FastifyRequest): Promise<Sender> {
    const { bodyLimitBytes } = this.config.http;
    const takesAction = configOf(request).largeBody === true;
    const identity = await this.identify(request);
    const actor = identity ? auditName(actorOf(identity)) : `ip:${sourceOf(request.ip)}`;
    const id = identity ? `api:${identity.keyId}` : 'without a key';
    if (identity && takesAction) {
      const advice = 'Send less, for instance in several parts, or have HTTP_BODY_LIMIT_KIB raised.';
      return { id, actor, limitBytes: bodyLimitBytes, advice };
    }
    const advice = takesAction ? 'With a valid API key it may be larger.' : 'Send less.';
    return { id, actor, limitBytes: Math.min(SMALL_LIMIT_BYTES, bodyLimitBytes), advice };
  }

  /** Also the holder of a session, where the page sends a document: it edits the policy. */
  private async identify(request: FastifyRequest): Promise<Identity | null> {
    const key = presentedKey(request);
    if (key !== null) return this.keys.identify(key);
    if (configOf(request).documentBody !== true || !this.sessions.isPresented(request)) return null;
    return this.sessions.identify(request).catch((error: unknown) => {
      // The guard refuses it.
      if (error instanceof DomainError && error.code === 'access.cross-site') return null;
      throw error;
    });
  }

  /** Resolves with null when the body is larger than the limit; the rest of it is discarded. */
  private collect(
    payload: IncomingMessage,
    limitBytes: number,
    open: OpenBody | null,
  ): Promise<Buffer | null> {
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = [];
      let size = 0;
      const stop = () => {
        payload.off('data', take).off('end', end).off('error', lost).resume();
      };
      const fail = (error: Error) => {
        stop();
        reject(error);
      };
      const lost = () =>
        fail(new HttpException('The connection was lost before the body was complete.', 400));
      const end = () => {
        stop();
        if (open) this.bodies.complete(open);
        resolve(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, size));
      };
      const take = (piece: Buffer) => {
        size += piece.length;
        pieces.push(piece);
        if (size > limitBytes) {
          stop();
          if (open) this.bodies.close(open);
          resolve(null);
        } else if (open && !this.bodies.grow(open, piece.length)) fail(noRoom());
      };
      if (open) open.cut = () => fail(noRoom());
      payload.on('data', take).on('end', end).on('error', lost);
    });
  }

  /** An agent was denied without asking an operator: operators see it in the audit log, in the log and in a metric. */
  private async noteTooLarge(
    { actor, limitBytes }: Sender,
    route: string | undefined,
    bytes: number | null,
  ): Promise<void> {
    const data = { route: route ?? null, limitBytes, bytes };
    const correlationId = currentCorrelationId();
    const note = (fields: object) =>
      this.log.event('warn', 'http.body-refused', fields, 'a body was too large');
    try {
      const flood = { type: 'request.too-large', actor, approvalId: null, correlationId, data } as const;
      if (await this.refusals.recordFlood(flood)) note({ actor, ...data });
    } catch (error) {
      note({ actor, ...data, error: describeError(error) });
    }
  }
}
