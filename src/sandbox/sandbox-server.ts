import Fastify, { type FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { SystemClock, type Clock } from '../kernel/clock';
import { BotApiError, forbidden } from './bot-api-error';
import { botApiRoutes } from './bot-api-routes';
import { Callbacks } from './callbacks';
import { Calls } from './calls';
import { ControlError } from './control-input';
import { controlRoutes } from './control-routes';
import { Faults } from './faults';
import { pageRoutes } from './page-routes';
import { LARGEST_UPLOAD_BYTES } from './request-body';
import { calledFromHere, comesFromHere } from './same-origin';
import { TELEGRAM_SETTINGS, type Settings } from './settings';
import { World } from './world';

/** Room for the other fields around the largest upload. */
const LARGEST_BODY_BYTES = LARGEST_UPLOAD_BYTES + 1024 * 1024;

export interface SandboxOptions {
  /** 0 takes any free port. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Rate limits and times other than Telegram's. */
  readonly limits?: Partial<Settings>;
  readonly clock?: Clock;
}

export interface RunningSandbox {
  /** `http://host:port` without a slash at the end, for `TELEGRAM_API_ROOT`. */
  readonly url: string;
  readonly port: number;
  /** Ends every poll, stream and delivery, then frees the port. */
  close(): Promise<void>;
}

/**
 * Starts the Telegram sandbox: Bot API at `/bot<token>/<method>`, control API below `/sandbox/`, chat page at `/`.
 *
 * @throws the listen error (`EADDRINUSE`, …) if the port is not available
 */
export async function startSandbox(options: SandboxOptions): Promise<RunningSandbox> {
  const settings = { ...TELEGRAM_SETTINGS, ...options.limits };
  const world = new World(options.clock ?? new SystemClock(), settings);
  const callbacks = new Callbacks(settings);
  const closing = new AbortController();
  const parts = { world, callbacks, calls: new Calls(), faults: new Faults(), closing: closing.signal };

  const app = newApp();
  botApiRoutes(app, parts);
  controlRoutes(app, parts, settings);
  pageRoutes(app, world, closing.signal);

  const host = options.host ?? '127.0.0.1';
  await app.listen({ port: options.port, host });
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    close: async () => {
      closing.abort();
      callbacks.abandon();
      for (const bot of world.bots.values()) bot.webhook?.stop();
      // All waiting calls have their answers now; let these leave before the connections are closed.
      await setImmediate();
      await app.close();
    },
  };
}

function newApp(): FastifyInstance {
  const app = Fastify({
    bodyLimit: LARGEST_BODY_BYTES,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 512 },
  });
  // The routes parse bodies themselves, so a malformed one gets an error of the Bot API.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addHook('onRequest', (request, _reply, done) => {
    // The route and not the URL: the router decodes escapes.
    const isBotApi = /^\/(file\/)?bot:/.test(request.routeOptions.url ?? '');
    const isAdmitted = isBotApi ? calledFromHere(request) : comesFromHere(request);
    const refused = 'requests from other sites are refused';
    const refusal = isBotApi ? forbidden(refused) : new ControlError(403, refused);
    done(isAdmitted ? undefined : refusal);
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ ok: false, error_code: 404, description: 'Not Found' }),
  );
  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof ControlError) return reply.code(error.status).send({ error: error.message });
    if (error instanceof BotApiError) return reply.code(error.code).send(error.toJSON());
    const tooLarge = error instanceof Error && 'code' in error && error.code === 'FST_ERR_CTP_BODY_TOO_LARGE';
    const answer = tooLarge
      ? new BotApiError(413, 'Request Entity Too Large')
      : new BotApiError(500, 'Internal Server Error');
    return reply.code(answer.code).send(answer.toJSON());
  });
  return app;
}
