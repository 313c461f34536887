import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { isUnavailable } from '../../../database/database';
import { LeaseStore } from '../../../database/lease-store';
import { ReportGapCommand } from '../commands/report-gap';
import { Clock } from '../../../kernel/clock';
import { pause } from '../../../kernel/pause';
import { singleFlight } from '../../../kernel/single-flight';
import { describeError } from '../../../kernel/describe-error';
import { Log } from '../../../logging/log';
import { ALLOWED_UPDATES } from './allowed-updates';
import { POLLER_LEASE } from './poller-lease';
import { parseUpdate, type ReadableUpdate } from './readable-update';
import { retryStep } from '../retry-step';
import { TelegramApi, UNGUARDED } from '../bot-api/telegram-api';
import { TelegramFailure } from '../bot-api/telegram-failure';
import { TelegramStatus } from '../telegram-status';
import { TelegramWatch } from '../telegram-watch';
import { UpdateHandler } from './update-handler';
import { UpdateWindow } from './update-window';

/** After the poller dies, another replica takes over within this time. */
const LEASE_SECONDS = 8;
const RENEW_MS = 2_000;
/** Interval in which a standby replica tries to take the lease. */
const STANDBY_MS = 1_000;
/** Telegram allows 50 s; a shorter poll loses nothing and survives proxies that cut long requests. */
const LONG_POLL_SECONDS = 25;
/** Timeout of a poll: a hanging poll delays every tap. */
const POLL_TIMEOUT_MS = (LONG_POLL_SECONDS + 10) * 1000;
/** Source: core.telegram.org/bots/api#getupdates. */
const MAX_UPDATES = 100;
/** Shortest interval between polls whose answers bring nothing new. */
const FLOOR_MS = 1_000;
/** Taps live 150 s on Telegram's server: without a poll for longer, some may be lost (telegram.md 12). */
const GAP_MS = 150_000;

/** Fetches updates while this replica holds the poller's lease; no error of Telegram ends it. */
@Injectable()
export class UpdatePoller implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private readonly window = new UpdateWindow();
  private readonly underWay = new Set<Promise<void>>();
  private running: Promise<void> | null = null;
  private readonly beat = singleFlight(() => this.reportGap());
  private limit = MAX_UPDATES;

  constructor(
    private readonly api: TelegramApi,
    private readonly watch: TelegramWatch,
    private readonly handler: UpdateHandler,
    private readonly leases: LeaseStore,
    private readonly commands: CommandBus,
    private readonly status: TelegramStatus,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.running = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.running;
    await Promise.all([...this.underWay, this.beat.current()]);
  }

  private async run(): Promise<void> {
    await this.watch.ready;
    const { status, log } = this;
    const { signal } = this.stop;
    await retryStep({ part: 'polling', status, log, stop: signal }, async () => {
      while (!signal.aborted) await this.lead();
    });
    await this.leases.release(POLLER_LEASE).catch((error: unknown) => {
      this.log.event(
        'warn',
        'telegram.lease-not-released',
        { error: describeError(error) },
        'the lease ends by itself',
      );
    });
  }

  /** Polls while this replica holds the lease, else waits before it tries to take it again. */
  private async lead(): Promise<void> {
    if (!(await this.leases.take(POLLER_LEASE, LEASE_SECONDS))) {
      this.status.report('polling', null);
      return pause(STANDBY_MS, this.stop.signal);
    }
    const lost = new AbortController();
    const over = AbortSignal.any([lost.signal, this.stop.signal]);
    const renew = singleFlight(() => this.renew(lost));
    const renewal = setInterval(() => void renew(), RENEW_MS);
    this.log.event(
      'info',
      'telegram.polling',
      { replica: this.leases.replica },
      'this replica fetches the updates',
    );
    try {
      // With a webhook set, getUpdates is refused.
      await this.api.call('deleteWebhook', { drop_pending_updates: false }, { ...UNGUARDED, signal: over });
      while (!over.aborted) await this.poll(over);
    } catch (error) {
      if (!over.aborted) throw error;
    } finally {
      clearInterval(renewal);
      await renew.current();
    }
  }

  /**
   * Renews the lease. While the database is unavailable this replica polls on: no other can take the lease, and taps
   * need answers. If only this replica cannot reach the database, Telegram ends its poll with 409 once another polls.
   */
  private async renew(lost: AbortController): Promise<void> {
    const held = await this.leases.take(POLLER_LEASE, LEASE_SECONDS).catch(isUnavailable);
    if (!held) lost.abort();
  }

  private async poll(signal: AbortSignal): Promise<void> {
    const askedAt = this.clock.monotonicMs();
    const answer = await this.fetch(signal);
    const ids = answer.flatMap((value) => this.take(value));
    if (answer.length > 0 && ids.length === 0)
      throw badAnswer(`none of the ${answer.length} updates can be read`);
    this.status.report('polling', null);
    void this.beat();
    // Updates are handled concurrently, so a slow one does not delay the taps after it. Until it is done, Telegram
    // delivers it again together with new ones.
    const over = new AbortController();
    const enough = pause(FLOOR_MS, AbortSignal.any([signal, over.signal]));
    await Promise.race([Promise.all(this.underWay), enough]);
    over.abort();
    if (this.window.advance(ids)) return;
    const restMs = FLOOR_MS - (this.clock.monotonicMs() - askedAt);
    if (restMs > 0) await pause(restMs, this.stop.signal);
  }

  private async fetch(signal: AbortSignal): Promise<unknown[]> {
    const { offset } = this.window;
    const request = {
      offset,
      limit: this.limit,
      timeout: LONG_POLL_SECONDS,
      allowed_updates: ALLOWED_UPDATES,
    };
    try {
      const updates = await this.api.call('getUpdates', request, {
        ...UNGUARDED,
        timeoutMs: POLL_TIMEOUT_MS,
        signal,
      });
      this.limit = MAX_UPDATES;
      return updates;
    } catch (error) {
      if (error instanceof TelegramFailure && !signal.aborted) this.noteFailure(error);
      throw error;
    }
  }

  private noteFailure({ reason }: TelegramFailure): void {
    // A single update may make the answer too long, so fetch one at a time.
    if (reason === 'bad-answer') this.limit = 1;
    if (reason !== 'timeout') return;
    const fields = { seconds: POLL_TIMEOUT_MS / 1000 };
    this.log.event(
      'warn',
      'telegram.poll-hung',
      fields,
      'getUpdates was not answered; taps were late by as much',
    );
  }

  /** Begins to handle the update. @returns its id, if it has one. */
  private take(value: unknown): number[] {
    const { update, unreadable } = parseUpdate(value);
    if (update) {
      if (this.window.begin(update.update_id)) this.begin(update);
      return [update.update_id];
    }
    const { id } = unreadable;
    // A repeated delivery was logged before.
    if (id === null || this.window.begin(id)) this.handler.skip(unreadable);
    if (id !== null) this.window.done(id);
    return id === null ? [] : [id];
  }

  private begin(update: ReadableUpdate): void {
    const { update_id: id } = update;
    const done = this.handler
      .handle(update)
      .then(
        () => this.window.done(id),
        // The update was not handled: Telegram delivers it again.
        () => this.window.failed(id),
      )
      .finally(() => this.underWay.delete(done));
    this.underWay.add(done);
  }

  private async reportGap(): Promise<void> {
    try {
      const beat = await this.leases.beat(POLLER_LEASE);
      if (!beat?.last || beat.now.getTime() - beat.last.getTime() <= GAP_MS) return;
      await this.commands.execute(new ReportGapCommand(beat.last, beat.now));
    } catch (error) {
      // The next poll records the beat, and the gap with it.
      this.log.event(
        'debug',
        'telegram.beat-failed',
        { error: describeError(error) },
        'a poll was not noted',
      );
    }
  }
}

const badAnswer = (what: string): TelegramFailure =>
  new TelegramFailure('getUpdates', 'bad-answer', what, null, null, null, true);
