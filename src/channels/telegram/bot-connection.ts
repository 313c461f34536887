import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectBot } from 'nestjs-telegraf';
import { Telegraf } from 'telegraf';
import type { UserFromGetMe } from 'telegraf/types';
import { Destination } from './destination';
import { Log } from '../../logging/log';
import { COMMANDS } from './operators/commands';
import { Patience } from './patience';
import { TelegramApi } from './bot-api/telegram-api';
import { TelegramStatus } from './telegram-status';

/** For callers with their own retries, which must detect that Telegram is back even while the breaker is open. */
export const UNGUARDED = { retry: false, breaker: false } as const;

/** Loads the bot's identity and checks that it reaches its chat; retries without a limit. */
@Injectable()
export class BotConnection implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private running: Promise<unknown> | null = null;
  private introduced: () => void = () => undefined;
  /** Resolves once the token was accepted and the bot is known. */
  readonly ready = new Promise<void>((resolve) => (this.introduced = resolve));

  /** True if Telegram has accepted the token since the start. */
  get known(): boolean {
    return this.bot.botInfo !== undefined;
  }

  constructor(
    @InjectBot() private readonly bot: Telegraf,
    private readonly api: TelegramApi,
    private readonly status: TelegramStatus,
    private readonly log: Log,
    private readonly destination: Destination,
  ) {
    // nestjs-telegraf stops every bot at shutdown, and `stop` throws for a bot that was not launched.
    bot.stop = () => undefined;
    this.status.enable();
  }

  onApplicationBootstrap(): void {
    this.running = this.connect();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    this.introduced();
    await this.running;
  }

  private async connect(): Promise<void> {
    const { signal } = this.stop;
    const token = new Patience('token', this.status, this.log, signal);
    await token.repeat(async () => {
      const me = await this.api.call('getMe', {}, { ...UNGUARDED, signal });
      // Of the members in Telegraf's type, its handlers read only the name, for `/command@name`.
      this.bot.botInfo = me as unknown as UserFromGetMe;
      token.succeeded();
      return true;
    });
    this.introduced();
    if (signal.aborted) return;
    const { username } = this.bot.botInfo ?? {};
    this.log.event('info', 'telegram.connected', { bot: username }, 'Telegram accepts the bot token');
    const chat = new Patience('chat', this.status, this.log, signal);
    await chat.repeat(async () => {
      const { chatId } = await this.destination.now();
      await this.api.call('getChat', { chat_id: chatId }, { ...UNGUARDED, signal });
      await this.api.call('setMyCommands', { commands: COMMANDS }, { ...UNGUARDED, signal });
      chat.succeeded();
      return true;
    });
  }
}
