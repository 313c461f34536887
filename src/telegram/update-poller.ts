import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { InjectBot } from 'nestjs-telegraf';
import { Telegraf } from 'telegraf';
import type { Update, UserFromGetMe } from 'telegraf/types';
import { CONFIG, type Config } from '../config/environment';
import { LeaseStore } from '../database/lease-store';
import { describeError, Log } from '../logging/log';
import { COMMANDS } from './commands';
import { TelegramApi } from './telegram-api';
import { TelegramFailure } from './telegram-failure';
import { TelegramStatus } from './telegram-status';

const LEASE = 'telegram-poller';
/** A dead poller is followed by another replica within this; taps wait no longer. */
const LEASE_SECONDS = 10;
const RENEW_MS = 3_000;
/** Telegram allows 50 s; shorter polls lose nothing and end sooner where a proxy cuts them. */
const LONG_POLL_SECONDS = 25;
const POLL_TIMEOUT_MS = 60_000;
/** A refused token or an unreachable chat is tried again this often, and reported once. */
const RETRY_REFUSED_MS = 15_000;
const RETRY_MIN_MS = 500;
const ALLOWED_UPDATES = ['message', 'callback_query', 'my_chat_member'];

/** Fetches updates while this replica holds the poller's lease; survives everything Telegram does. */
@Injectable()
export class UpdatePoller implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private running: Promise<void> | null = null;
  private offset = 0;
  private failures = 0;

  constructor(
    @InjectBot() private readonly bot: Telegraf,
    private readonly api: TelegramApi,
    private readonly leases: LeaseStore,
    private readonly status: TelegramStatus,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    // nestjs-telegraf stops every bot at shutdown, and a bot that we did not launch throws at that.
    bot.stop = () => undefined;
    this.status.enable();
  }

  onApplicationBootstrap(): void {
    this.running = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    await this.untilStopped(() => this.introduce());
    await this.untilStopped(() => this.lead());
    await this.leases.release(LEASE).catch((error: unknown) => this.complain(error));
  }

  /** Repeats `step` until it returns true or the service stops; failures back off. */
  private async untilStopped(step: () => Promise<boolean>): Promise<void> {
    while (!this.stop.signal.aborted) {
      try {
        if (await step()) return;
        this.failures = 0;
      } catch (error) {
        if (!this.stop.signal.aborted) await this.pause(this.complain(error));
      }
    }
  }

  /** Learns who the bot is and whether it reaches the chat. */
  private async introduce(): Promise<boolean> {
    this.bot.botInfo = await this.api.call<UserFromGetMe>('getMe', {});
    this.status.report('token', null);
    await this.api.call('setMyCommands', { commands: COMMANDS });
    await this.api.call('deleteWebhook', { drop_pending_updates: false });
    await this.api.call('getChat', { chat_id: this.config.telegram?.chatId });
    this.status.report('chat', null);
    this.log.event(
      'info',
      'telegram.connected',
      { bot: this.bot.botInfo.username },
      `Telegram works as @${this.bot.botInfo.username}`,
    );
    return true;
  }

  /** Polls while the lease is ours, else waits for it. Never done. */
  private async lead(): Promise<boolean> {
    if ((await this.leases.take(LEASE, LEASE_SECONDS)) === null) {
      this.status.report('polling', null);
      await this.pause(RENEW_MS);
      return false;
    }
    const lost = new AbortController();
    const over = AbortSignal.any([lost.signal, this.stop.signal]);
    const renewal = setInterval(() => {
      this.leases.take(LEASE, LEASE_SECONDS).then(
        (held) => held === null && lost.abort(),
        () => lost.abort(),
      );
    }, RENEW_MS);
    try {
      while (!over.aborted) await this.poll(over);
    } finally {
      clearInterval(renewal);
    }
    return false;
  }

  private async poll(over: AbortSignal): Promise<void> {
    const updates = await this.api
      .call<Update[]>(
        'getUpdates',
        { offset: this.offset, timeout: LONG_POLL_SECONDS, allowed_updates: ALLOWED_UPDATES },
        { timeoutMs: POLL_TIMEOUT_MS, signal: over },
      )
      .catch((error: unknown) => {
        if (over.aborted) return [];
        throw error;
      });
    this.failures = 0;
    if (this.status.report('polling', null)) this.log.event('info', 'telegram.polling', {}, 'updates arrive');
    for (const update of updates) {
      // Confirmed by the next poll only once it was handled: what fails here comes again.
      await this.bot.handleUpdate(update);
      this.offset = update.update_id + 1;
    }
  }

  /** Says once what is wrong. @returns how long to wait, in milliseconds. */
  private complain(error: unknown): number {
    const refused = error instanceof TelegramFailure && error.reason === 'unauthorized';
    const unreachable = error instanceof TelegramFailure && error.method === 'getChat';
    const message = describeError(error);
    const part = refused ? 'token' : unreachable ? 'chat' : 'polling';
    const trouble = refused
      ? 'Telegram refuses the bot token'
      : unreachable
        ? `the chat cannot be reached (${message})`
        : message;
    if (this.status.report(part, trouble))
      this.log.event('error', 'telegram.unreachable', { part, error: message }, trouble);
    const backoff = Math.min(RETRY_REFUSED_MS, RETRY_MIN_MS * 2 ** Math.min(this.failures++, 10));
    return refused || unreachable ? RETRY_REFUSED_MS : backoff;
  }

  private pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.stop.signal }).catch(() => undefined);
  }
}
