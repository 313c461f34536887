import { setTimeout as sleep } from 'node:timers/promises';
import { isUnavailable } from '../database/database';
import { describeError, type Log } from '../logging/log';
import { TelegramFailure } from './telegram-failure';
import type { TelegramPart, TelegramStatus } from './telegram-status';

/** A refused token or an unreachable chat is tried again this often (telegram.md 1). */
const MAX_WAIT_MS = 15_000;
const MIN_WAIT_MS = 500;
/** One dropped connection is not news; this many failures in a row are. */
const NEWS_AFTER_FAILURES = 3;

/** Repeats a step against Telegram for as long as the service runs, says once what is wrong, and never gives up. */
export class Patience {
  private failures = 0;

  constructor(
    private readonly part: TelegramPart,
    private readonly status: TelegramStatus,
    private readonly log: Log,
    private readonly stop: AbortSignal,
  ) {}

  /** Until the step returns true or the service stops. */
  async repeat(step: () => Promise<boolean>): Promise<void> {
    while (!this.stop.aborted) {
      try {
        if (await step()) return;
      } catch (error) {
        await this.afterFailure(error);
      }
    }
  }

  /** The part works. */
  succeeded(): void {
    this.failures = 0;
    this.status.report(this.part, null);
  }

  pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.stop }).catch(() => undefined);
  }

  private async afterFailure(error: unknown): Promise<void> {
    if (this.stop.aborted) return;
    const refused = error instanceof TelegramFailure && error.reason === 'unauthorized';
    const answered = error instanceof TelegramFailure && error.status !== null && error.status < 500;
    const message = describeError(error);
    this.failures++;
    // What Telegram says itself will not pass by itself: no waiting for a third time.
    const news = refused || (answered && error.reason !== 'conflict') || this.failures >= NEWS_AFTER_FAILURES;
    // Where our database is away, Telegram is not to blame, and health tells of the database.
    if (news && !isUnavailable(error)) {
      this.status.report(this.part, refused ? 'Telegram refuses the bot token' : `${this.part}: ${message}`);
    }
    this.log.event('debug', 'telegram.step-failed', { part: this.part, error: message }, 'tried again later');
    await this.pause(
      refused ? MAX_WAIT_MS : Math.min(MAX_WAIT_MS, MIN_WAIT_MS * 2 ** Math.min(this.failures - 1, 10)),
    );
  }
}
