import { createHash, timingSafeEqual } from 'node:crypto';
import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Gatekeeper } from '../../../access/gatekeeper';
import { CONFIG, telegramOf, type Config } from '../../../config/environment';
import { ANY_NUMBERS } from '../../../access/body-parser';
import { pause } from '../../../kernel/pause';
import { DomainError, InvalidInput } from '../../../kernel/errors';
import { Log } from '../../../logging/log';
import { ALLOWED_UPDATES } from './allowed-updates';
import { retryStep } from '../retry-step';
import { parseUpdate, type ReadableUpdate } from './readable-update';
import { DECIDE_WITHIN_MS } from '../operators/taps';
import { TelegramApi, UNGUARDED } from '../bot-api/telegram-api';
import { TelegramStatus } from '../telegram-status';
import { TelegramWatch } from '../telegram-watch';
import { UpdateHandler } from './update-handler';

export const WEBHOOK_PATH = '/telegram/webhook';
/** Time after which a tap was decided, got a provisional answer, or failed. */
const MOST_FOR_A_TAP_MS = DECIDE_WITHIN_MS + 1_000;
const SECRET_HEADER = 'x-telegram-bot-api-secret-token';

const digest = (text: string) => createHash('sha256').update(text).digest();

/**
 * Receives updates that Telegram delivers. It is a plain Fastify route, because the secret must be checked before the
 * body is read, and Nest's guards run after that.
 */
@Injectable()
export class WebhookEndpoint implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private readonly secret: Buffer;
  private running: Promise<void> | null = null;

  constructor(
    private readonly http: HttpAdapterHost,
    private readonly api: TelegramApi,
    private readonly watch: TelegramWatch,
    private readonly handler: UpdateHandler,
    private readonly status: TelegramStatus,
    private readonly gatekeeper: Gatekeeper,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    this.secret = digest(this.webhook.secret);
  }

  private get webhook() {
    const { webhook } = telegramOf(this.config);
    if (webhook === null) throw new Error('TELEGRAM_MODE is not webhook');
    return webhook;
  }

  onModuleInit(): void {
    const fastify = this.http.httpAdapter.getInstance<FastifyInstance>();
    fastify.post(
      WEBHOOK_PATH,
      {
        config: ANY_NUMBERS,
        onRequest: async (request) => {
          if (this.knowsTheSecret(request)) return;
          const attempt = { method: request.method, route: WEBHOOK_PATH };
          await this.gatekeeper.turnAwayStranger(
            request.ip,
            attempt,
            new DomainError('access.unauthenticated', 'The webhook secret is missing or wrong.'),
          );
        },
      },
      async (request) => {
        const { update, unreadable } = parseUpdate(request.body);
        if (unreadable?.id === null)
          throw new InvalidInput([{ path: 'update_id', message: 'not an update of the Bot API' }]);
        // Answer 200, else Telegram would repeat this update and deliver no later one of the chat.
        if (unreadable) this.handler.skip(unreadable);
        // An error becomes a 503, and Telegram delivers the update again.
        else await this.handled(update);
        return {};
      },
    );
  }

  /**
   * Telegram delivers one person's taps in sequence, so a tap that waits for a locked row would block the person's taps
   * on other cards. After the time limit the tap has an answer, so the route returns and the process continues the tap.
   */
  private async handled(update: ReadableUpdate): Promise<void> {
    const handled = this.handler.handle(update);
    if (!update.callback_query) return handled;
    handled.catch(() => undefined);
    const over = new AbortController();
    const enough = pause(MOST_FOR_A_TAP_MS, over.signal);
    await Promise.race([handled, enough]).finally(() => over.abort());
  }

  onApplicationBootstrap(): void {
    this.running = this.register();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.running;
  }

  /** True if the request has the secret. Compares digests, which have equal length, in constant time. */
  private knowsTheSecret(request: FastifyRequest): boolean {
    const given = request.headers[SECRET_HEADER];
    return typeof given === 'string' && timingSafeEqual(digest(given), this.secret);
  }

  private async register(): Promise<void> {
    await this.watch.ready;
    const { status, log } = this;
    const { signal } = this.stop;
    await retryStep({ part: 'webhook', status, log, stop: signal }, async () => {
      const { url, secret } = this.webhook;
      const payload = {
        url,
        secret_token: secret,
        allowed_updates: ALLOWED_UPDATES,
        drop_pending_updates: false,
      };
      await this.api.call('setWebhook', payload, { ...UNGUARDED, signal });
    });
  }
}
