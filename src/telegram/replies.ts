import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { RateLimiterRes } from 'rate-limiter-flexible';
import { perMinute } from '../access/process-rate-limits';
import { describeError, Log } from '../logging/log';

/** Anybody can find a bot and write to it; what strangers are told takes room from the cards. */
const STRANGERS_PER_MINUTE = 5;
const STRANGER_PER_MINUTE = 1;

/** The rest of a row of commands would ask the database for room in vain. */
const MAX_UNDER_WAY = 8;

/**
 * Answers to what people type. Updates do not wait for them: a chat takes a few messages a minute, and taps behind
 * a row of commands would die on Telegram's server meanwhile. What cannot be sent is dropped.
 */
@Injectable()
export class Replies implements OnApplicationShutdown {
  private readonly underWay = new Set<Promise<void>>();
  private readonly eachStranger = perMinute(STRANGER_PER_MINUTE);
  private readonly allStrangers = perMinute(STRANGERS_PER_MINUTE);

  constructor(private readonly log: Log) {}

  /** After the hooks that end the updates, which begin replies. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.underWay);
  }

  /** Whether somebody who is no operator is answered now. */
  async mayAnswerStranger(userId: number): Promise<boolean> {
    try {
      // In this order: one stranger alone must not use up what is for all.
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
