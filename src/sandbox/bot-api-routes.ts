import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { resetConnection, writeAnswer } from './answering';
import { BotApiError } from './bot-api-error';
import type { Callbacks } from './callbacks';
import type { Calls } from './calls';
import { execute, refusal, type Answer } from './execute';
import { faultError, type Fault, type Faults } from './faults';
import type { Call } from './methods/call';
import { findMethod } from './methods/method-table';
import { Params } from './params';
import { pause } from './pause';
import { readParams } from './request-body';
import type { World } from './world';

/** A bot's id never begins with 0; the secret is 35 characters today, a few less are tolerated. */
const TOKEN = /^[1-9][0-9]{0,15}:[A-Za-z0-9_-]{30,}$/;

export interface BotApiParts {
  readonly world: World;
  readonly callbacks: Callbacks;
  readonly calls: Calls;
  readonly faults: Faults;
  /** Aborts when the sandbox closes. */
  readonly closing: AbortSignal;
}

/** `/bot<token>/<method>` and `/file/bot<token>/<path>`. */
export function botApiRoutes(app: FastifyInstance, parts: BotApiParts): void {
  app.route<{ Params: { token: string; method: string } }>({
    method: ['GET', 'POST'],
    url: '/bot:token/:method',
    handler: async (request, reply) => {
      await answerCall(parts, request, reply);
      return reply;
    },
  });

  app.get<{ Params: { token: string; '*': string } }>('/file/bot:token/*', (request, reply) => {
    const error = tokenError(request.params.token);
    const document = parts.world.documents.get(request.params['*'].replace(/^documents\//, ''));
    if (error) writeAnswer(reply, refusal(error), undefined);
    else if (document) void reply.type('application/octet-stream').send(document.bytes);
    else writeAnswer(reply, refusal(new BotApiError(404, 'Not Found')), undefined);
    return reply;
  });
}

/** Like the hosted server: 404 for a string that is not a token, 401 for a wrong token. */
function tokenError(token: string): BotApiError | null {
  if (TOKEN.test(token)) return null;
  return /^[1-9][0-9]*:/.test(token)
    ? new BotApiError(401, 'Unauthorized')
    : new BotApiError(404, 'Not Found');
}

type BotApiRequest = FastifyRequest<{ Params: { token: string; method: string } }>;

async function answerCall(parts: BotApiParts, request: BotApiRequest, reply: FastifyReply): Promise<void> {
  const { world, calls, faults, closing } = parts;
  const { token, method } = request.params;
  const badToken = tokenError(token);
  if (badToken) {
    writeAnswer(reply, refusal(badToken), undefined);
    return;
  }

  const bot = world.bot(token);
  const read = await readBody(request);
  const params = read instanceof BotApiError ? new Params({}) : read;
  const record = calls.record(
    findMethod(method)?.name ?? method,
    bot.id,
    world.clock.now(),
    params.summary(),
  );
  const text = params.string('text') ?? params.string('caption');
  const fault = faults.take(method, params.string('chat_id'), text);
  record.fault = fault !== null;

  if (fault?.delayMs) await pause(fault.delayMs, closing);
  if (fault?.reset === 'before' || closing.aborted) {
    record.status = 0;
    resetConnection(reply);
    return;
  }
  const gone = AbortSignal.any([closing, hangUp(reply)]);
  const call: Call = { ...parts, bot, params, gone, execute };
  const answer = await outcome(method, call, fault, read);
  if (fault?.reset === 'after') {
    record.status = 0;
    resetConnection(reply);
    return;
  }
  record.status = answer.status;
  writeAnswer(reply, answer, fault?.body);
}

async function outcome(
  method: string,
  call: Call,
  fault: Fault | null,
  read: Params | BotApiError,
): Promise<Answer> {
  if (fault && fault.answer !== undefined) {
    if (fault.happens) await execute(method, call);
    return { status: fault.status ?? 200, body: fault.answer };
  }
  const injected = fault && faultError(fault);
  if (injected) return refusal(injected);
  if (read instanceof BotApiError) return refusal(read);
  return execute(method, call);
}

async function readBody(request: BotApiRequest): Promise<Params | BotApiError> {
  const query = request.query as Readonly<Record<string, unknown>>;
  const body = Buffer.isBuffer(request.body) ? request.body : undefined;
  try {
    return await readParams(query, request.headers['content-type'], body);
  } catch (error) {
    if (error instanceof BotApiError) return error;
    throw error;
  }
}

function hangUp(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
