import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { RateLimiterRes, type RateLimiterMemory } from 'rate-limiter-flexible';
import { perMinute } from '../../../access/process-rate-limits';
import { RefusalLog } from '../../../audit/refusal-log';
import { SendBudget } from '../send-budget';
import { currentCorrelationId } from '../../../logging/correlation';
import { describeError } from '../../../kernel/describe-error';
import { Log } from '../../../logging/log';

/** Limits of replies to strangers: anybody can write to a bot, and its replies take room from the cards. */
const STRANGERS_PER_MINUTE = 5;
const STRANGER_PER_MINUTE = 1;

/** Part of a group's minute that replies to one operator may take from the cards: one of so many. */
const OPERATOR_SHARE = 4;

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
  private readonly eachOperator: RateLimiterMemory;

  constructor(
    private readonly refusals: RefusalLog,
    private readonly log: Log,
    budget: SendBudget,
  ) {
    this.eachOperator = perMinute(Math.max(1, Math.floor(budget.groupMinute / OPERATOR_SHARE)));
  }

  /** Runs after the hooks that end the handling of updates, since those begin replies. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.underWay);
  }

  /**
   * Begins a reply to somebody who is not an operator, within a limit. The caller does not wait for it.
   *
   * @returns false if the limit is reached: no reply is sent
   */
  async answerStranger(userId: number, reply: () => Promise<void>): Promise<boolean> {
    // In this order: one stranger alone must not use up the points of all.
    const mayReply =
      (await hasPoint(this.eachStranger, userId)) && (await hasPoint(this.allStrangers, 'all'));
    if (mayReply) this.begin(reply);
    return mayReply;
  }

  /**
   * Begins a reply to an operator, within a limit: a stolen session must not take the chat's room from the cards.
   *
   * @param reply gets true for the last reply of the minute
   * @returns false if the limit is reached: no reply is sent
   */
  async answerOperator(userId: number, reply: (isLast: boolean) => Promise<void>): Promise<boolean> {
    const left = await takePoint(this.eachOperator, userId);
    if (left !== null) this.begin(() => reply(left === 0));
    else this.run(this.refuse(userId));
    return left !== null;
  }

  private begin(reply: () => Promise<void>): void {
    if (this.underWay.size < MAX_UNDER_WAY) this.run(reply());
    else this.drop('too many replies are under way');
  }

  private run(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => this.drop(describeError(error)))
      .finally(() => this.underWay.delete(done));
    this.underWay.add(done);
  }

  private async refuse(userId: number): Promise<void> {
    const isFirst = await this.refusals.recordFlood({
      type: 'access.rate-limited',
      actor: `telegram:${userId}`,
      approvalId: null,
      correlationId: currentCorrelationId(),
      data: { what: 'answers of the bot' },
    });
    if (isFirst)
      this.log.event(
        'warn',
        'telegram.replies-limited',
        { user: userId },
        'an operator asks the bot faster than its limit; further questions in this minute are ignored',
      );
  }

  private drop(error: string): void {
    this.log.event('warn', 'telegram.reply-failed', { error }, 'somebody was not answered');
  }
}

const hasPoint = async (limiter: RateLimiterMemory, subject: number | string): Promise<boolean> =>
  (await takePoint(limiter, subject)) !== null;

/** @returns the points that are left; null: there was none */
async function takePoint(limiter: RateLimiterMemory, subject: number | string): Promise<number | null> {
  try {
    return (await limiter.consume(subject)).remainingPoints;
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes) return null;
    throw refusal;
  }
}
