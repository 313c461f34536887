import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectBot } from 'nestjs-telegraf';
import { Telegraf } from 'telegraf';
import type { UserFromGetMe } from 'telegraf/types';
import { Clock } from '../../kernel/clock';
import { pause } from '../../kernel/pause';
import { describeError } from '../../kernel/describe-error';
import { Log } from '../../logging/log';
import { CircuitBreakerService, type BreakerTransition } from '../../resilience/circuit-breaker';
import { TelegramApi, UNGUARDED, type CallOptions } from './bot-api/telegram-api';
import { TelegramFailure } from './bot-api/telegram-failure';
import { Destination } from './destination';
import { topicOf } from './lane';
import { Menu } from './menu';
import { retryStep } from './retry-step';
import { TelegramStatus, type TelegramPart } from './telegram-status';

const LOOK_EVERY_MS = 5_000;
/** The outbox retries waiting work at least every 15 s and reports it; a longer silence means that nothing waits. */
const QUIET_MS = 20_000;
/** Shortest wait before a trial of an open circuit: a trial that comes too early is refused and planned again. */
const MIN_TRIAL_WAIT_MS = 10;
/** Failures of getMe after which getChat may prove the token instead. */
const MAX_NAME_FAILURES = 3;

/**
 * Watches the connection to Telegram for as long as the service runs: connects the bot, checks its chat, tries an open
 * circuit, and checks sending after trouble.
 */
@Injectable()
export class TelegramWatch implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private work: Promise<unknown> | null = null;
  private trial: NodeJS.Timeout | null = null;
  private probeMethod: 'getMe' | 'getChat' = 'getMe';
  private nameFailures = 0;
  private hasName = false;
  private announce: () => void = () => undefined;
  /** Resolves once Telegram has accepted the token, and at the stop. */
  readonly ready = new Promise<void>((resolve) => (this.announce = resolve));

  constructor(
    @InjectBot() private readonly bot: Telegraf,
    private readonly api: TelegramApi,
    private readonly breaker: CircuitBreakerService,
    private readonly status: TelegramStatus,
    private readonly destination: Destination,
    private readonly menu: Menu,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    // nestjs-telegraf stops every bot at shutdown, and `stop` throws for a bot that was not launched.
    bot.stop = () => undefined;
    status.enable();
  }

  /** True if Telegram has accepted the token since the start. */
  get isReady(): boolean {
    return this.bot.botInfo !== undefined;
  }

  onApplicationBootstrap(): void {
    this.breaker.onStateChange((transition) => this.followCircuit(transition));
    this.work = Promise.all([this.connect(), this.look()]);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    if (this.trial) clearTimeout(this.trial);
    this.announce();
    await this.work;
  }

  /**
   * Makes a call that succeeds if Telegram works, and sends nothing. After a failure of getMe it is getChat, and the
   * other way round: a failure of one method alone must not stop the sending. Rejects with TelegramFailure, or with
   * DomainError `database.unavailable`.
   */
  async probe(): Promise<void> {
    const method = this.probeMethod;
    try {
      if (method === 'getMe') await this.api.call('getMe', {}, { retry: false });
      else await this.getChat({ retry: false });
    } catch (error) {
      // A call that was not attempted says nothing about its method.
      if (!(error instanceof TelegramFailure && error.reason === 'circuit-open'))
        this.probeMethod = method === 'getMe' ? 'getChat' : 'getMe';
      throw error;
    }
  }

  /**
   * Ends a problem with sending when there is nothing left to send, for example because the failed message has expired.
   * It sends the chat action "typing", which leaves no message in the chat and is refused as a message would be.
   * Never rejects.
   */
  async checkSending(): Promise<void> {
    if ((this.status.troubleMs('sending') ?? 0) < QUIET_MS) return;
    try {
      const lane = await this.destination.now();
      const action = { chat_id: lane.chatId, action: 'typing', ...topicOf(lane) };
      await this.api.call('sendChatAction', action, { retry: false, signal: this.stop.signal });
      this.status.report('sending', null);
    } catch (error) {
      const fields = { error: describeError(error) };
      this.log.event('debug', 'telegram.check-failed', fields, 'messages would still not get through');
    }
  }

  private async connect(): Promise<void> {
    await this.retry('token', () => this.identify());
    this.announce();
    if (this.stop.signal.aborted) return;
    const { username } = this.bot.botInfo ?? {};
    this.log.event('info', 'telegram.connected', { bot: username }, 'Telegram accepts the bot token');
    await this.retry('chat', async () => {
      await this.getChat(this.ownRetries);
      await this.menu.offerIn((await this.destination.now()).chatId, this.ownRetries);
      await this.menu.offerPublic(this.ownRetries);
    });
  }

  private async look(): Promise<void> {
    const { signal } = this.stop;
    for (;;) {
      await pause(LOOK_EVERY_MS, signal);
      if (signal.aborted) return;
      await this.checkSending();
      await this.learnName();
    }
  }

  /** Loads the bot's identity. If only getMe fails, an answer of getChat proves the token, whose first part is the id. */
  private async identify(): Promise<void> {
    try {
      await this.loadIdentity();
    } catch (error) {
      if (++this.nameFailures < MAX_NAME_FAILURES || !(await this.reachesChat())) throw error;
      const id = Number(this.bot.telegram.token.split(':')[0]);
      // Commands for a name are ignored: the name may be another bot's.
      this.bot.botInfo = { id, is_bot: true, first_name: '', username: '' } as UserFromGetMe;
      const fields = { error: describeError(error) };
      const message = 'getMe fails, so the bot does not know its name; commands with an @name are ignored';
      this.log.event('warn', 'telegram.name-unknown', fields, message);
    }
  }

  /** Never rejects. */
  private async learnName(): Promise<void> {
    if (this.hasName || !this.isReady) return;
    try {
      await this.loadIdentity();
      const { username } = this.bot.botInfo ?? {};
      this.log.event('info', 'telegram.name-known', { bot: username }, 'getMe works; the bot knows its name');
    } catch {
      // Best effort: the call is logged, and the next look repeats it.
    }
  }

  private reachesChat(): Promise<boolean> {
    return this.getChat(this.ownRetries).then(
      () => true,
      () => false,
    );
  }

  private async loadIdentity(): Promise<void> {
    const me = await this.api.call('getMe', {}, this.ownRetries);
    // Of the members in Telegraf's type, its handlers read only the name, for `/command@name`.
    this.bot.botInfo = me as unknown as UserFromGetMe;
    this.hasName = true;
  }

  /** Rejects also with DomainError `database.unavailable`. */
  private async getChat(options: CallOptions): Promise<void> {
    const { chatId } = await this.destination.now();
    await this.api.call('getChat', { chat_id: chatId }, options);
  }

  private get ownRetries(): CallOptions {
    return { ...UNGUARDED, signal: this.stop.signal };
  }

  private retry(part: TelegramPart, step: () => Promise<void>): Promise<void> {
    return retryStep({ part, status: this.status, log: this.log, stop: this.stop.signal }, step);
  }

  private followCircuit({ from, to, forced }: BreakerTransition): void {
    const level = to === 'open' ? 'error' : 'info';
    this.log.event(level, 'circuit.changed', { from, to, forced }, `the circuit to Telegram is ${to}`);
    this.planTrial();
  }

  private planTrial(): void {
    if (this.trial) clearTimeout(this.trial);
    // Null also if a person holds the circuit open: then only a person closes it.
    const { nextAttemptAt } = this.breaker.statistics();
    if (nextAttemptAt === null || this.stop.signal.aborted) return;
    const waitMs = Math.max(MIN_TRIAL_WAIT_MS, nextAttemptAt.getTime() - this.clock.now().getTime());
    this.trial = setTimeout(() => void this.tryCircuit(), waitMs);
  }

  /** Tries an open circuit with a probe when a trial is due, so that no card is used for the trial. */
  private async tryCircuit(): Promise<void> {
    try {
      await this.probe();
    } catch (error) {
      const fields = { error: describeError(error) };
      this.log.event('debug', 'circuit.probe-failed', fields, 'Telegram does not answer yet');
    }
    // The timer may fire just before the break ends: the trial is then refused, so plan the next one here.
    this.planTrial();
  }
}
