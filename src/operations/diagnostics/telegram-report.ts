import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../config/environment';
import { LeaseStore } from '../../database/lease-store';
import { SendBudget } from '../../channels/telegram/send-budget';
import { POLLER_LEASE } from '../../channels/telegram/updates/poller-lease';
import { TelegramStatus } from '../../channels/telegram/telegram-status';
import { DatabaseFactsStore } from './database-facts-store';
import { TelegramActivity } from './telegram-activity';

/** Reports the connection to Telegram, as this replica sees it. */
@Injectable()
export class TelegramReport {
  constructor(
    private readonly status: TelegramStatus,
    private readonly activity: TelegramActivity,
    private readonly facts: DatabaseFactsStore,
    private readonly own: LeaseStore,
    private readonly budget: SendBudget,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Rejects with DomainError `database.unavailable`. */
  async read() {
    const { lastCompletedPollAt, lastFailure } = this.activity;
    return {
      replica: this.own.replica,
      mode: this.mode,
      degradedBecause: this.status.health.degradedBecause,
      lastCompletedPollAt: lastCompletedPollAt?.toISOString() ?? null,
      leaseHolder: this.mode === 'polling' ? await this.leaseHolder() : null,
      budgetLeft: this.config.telegram && (await this.budget.left(this.config.telegram.chatId)),
      lastError: lastFailure && { ...lastFailure, at: lastFailure.at.toISOString() },
    };
  }

  private get mode(): 'off' | 'polling' | 'webhook' {
    if (this.config.telegram === null) return 'off';
    return this.config.telegram.webhook === null ? 'polling' : 'webhook';
  }

  private async leaseHolder() {
    const lease = await this.facts.leaseHolder(POLLER_LEASE);
    return lease && { ...lease, expiresAt: lease.expiresAt.toISOString() };
  }
}
