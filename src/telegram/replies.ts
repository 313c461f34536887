import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { RateLimiterRes } from 'rate-limiter-flexible';
import { perMinute } from '../access/process-rate-limits';
import { describeError, Log } from '../logging/log';

/** Limits of replies to strangers: anybody can write to a bot, and its replies take room from the cards. */
const STRANGERS_PER_MINUTE = 5;
const STRANGER_PER_MINUTE = 1;

/** Limit of concurrent replies: beyond it, a series of commands would only load the database. */
const MAX_UNDER_WAY = 8;

/**
 * Sends replies to messages. The update handler does not wait for them: a chat accepts few messages a minute, and taps
 * behind a series of commands would expire on Telegram's server. Best effort: replies that cannot be sent are dropped.
 */
@Injectable()
export class Replies implements OnApplicationShutdown {
  private readonly underWay = new Set<Promise<void>>();
  private readonly eachStranger = perMinute(STRANGER_PER_MINUTE);
  private readonly allStrangers = perMinute(STRANGERS_PER_MINUTE);

  constructor(private readonly log: Log) {}

  /** Runs after the hooks that end the handling of updates, since those begin replies. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.underWay);
  }

  /** True if the rate limits allow a reply to this stranger now. */
  async mayAnswerStranger(userId: number): Promise<boolean> {
    try {
      // In this order: one stranger alone must not use up the limit of all.
      await this.eachStranger.consume(userId);
      await this.allStrangers.consume('all');
      return true;
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return false;
      throw refusal;
    }
  }

  /** Composes and sends a reply, without the caller waiting for it. */
  begin(reply: () => Promise<void>): void {
    if (this.underWay.size >= MAX_UNDER_WAY) {
      this.drop('too many replies are under way');
      return;
    }
    const done = reply()
      .catch((error: unknown) => this.drop(describeError(error)))
      .finally(() => this.underWay.delete(done));
    this.underWay.add(done);
  }

  private drop(error: string): void {
    this.log.event('warn', 'telegram.reply-failed', { error }, 'somebody was not answered');
  }
}
