import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Update } from 'telegraf/types';
import { LeaseStore } from '../database/lease-store';
import { ReportGapCommand } from '../escalation/commands/report-gap';
import { describeError, Log } from '../logging/log';
import { ALLOWED_UPDATES } from './allowed-updates';
import { BotConnection, UNGUARDED } from './bot-connection';
import { Patience } from './patience';
import { POLLER_LEASE } from './poller-lease';
import { TelegramApi } from './telegram-api';
import { TelegramStatus } from './telegram-status';
import { UpdateHandler } from './update-handler';

/** A dead poller is followed by another replica within this; taps wait no longer. */
const LEASE_SECONDS = 8;
const RENEW_MS = 2_000;
/** How often a replica that does not poll looks whether it should. */
const STANDBY_MS = 1_000;
/** Telegram allows 50 s; shorter polls lose nothing and end sooner where a proxy cuts them. */
const LONG_POLL_SECONDS = 25;
const POLL_TIMEOUT_MS = 60_000;
/** Taps live 150 s on Telegram's server: without a poll for longer, some may be lost (telegram.md 12). */
const GAP_MS = 150_000;

/** Fetches updates while this replica holds the poller's lease; survives everything Telegram does. */
@Injectable()
export class UpdatePoller implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private readonly patience: Patience;
  private running: Promise<void> | null = null;
  private offset = 0;

  constructor(
    private readonly api: TelegramApi,
    private readonly connection: BotConnection,
    private readonly handler: UpdateHandler,
    private readonly leases: LeaseStore,
    private readonly commands: CommandBus,
    status: TelegramStatus,
    private readonly log: Log,
  ) {
    this.patience = new Patience('polling', status, log, this.stop.signal);
  }

  onApplicationBootstrap(): void {
    this.running = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    await this.connection.ready;
    await this.patience.repeat(() => this.lead());
    await this.leases.release(POLLER_LEASE).catch((error: unknown) => {
      this.log.event(
        'warn',
        'telegram.lease-not-released',
        { error: describeError(error) },
        'the lease ends by itself',
      );
    });
  }

  /** Polls while the lease is ours, else waits for it. Never done. */
  private async lead(): Promise<boolean> {
    if (!(await this.leases.take(POLLER_LEASE, LEASE_SECONDS))) {
      this.patience.succeeded();
      await this.patience.pause(STANDBY_MS);
      return false;
    }
    const lost = new AbortController();
    const over = AbortSignal.any([lost.signal, this.stop.signal]);
    const renewal = setInterval(() => {
      this.leases.take(POLLER_LEASE, LEASE_SECONDS).then(
        (held) => {
          if (!held) lost.abort();
        },
        () => lost.abort(),
      );
    }, RENEW_MS);
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
    }
    return false;
  }

  private async poll(signal: AbortSignal): Promise<void> {
    const updates = await this.api.call<Update[]>(
      'getUpdates',
      { offset: this.offset, timeout: LONG_POLL_SECONDS, allowed_updates: ALLOWED_UPDATES },
      { ...UNGUARDED, timeoutMs: POLL_TIMEOUT_MS, signal },
    );
    // Side by side, since one slow answer must not hold up the taps behind it. What could not be handled is
    // not confirmed, and comes again with its whole batch.
    await Promise.all(updates.map((update) => this.handler.handle(update)));
    // After an empty answer everything before is confirmed; from 0, because ids start anew after a quiet week.
    this.offset = updates.reduce((next, { update_id: id }) => Math.max(next, id + 1), 0);
    this.patience.succeeded();
    await this.noteGap();
  }

  private async noteGap(): Promise<void> {
    const beat = await this.leases.beat(POLLER_LEASE);
    if (!beat?.last || beat.now.getTime() - beat.last.getTime() <= GAP_MS) return;
    await this.commands.execute(new ReportGapCommand(beat.last, beat.now));
  }
}
