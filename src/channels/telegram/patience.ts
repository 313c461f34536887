import { isUnavailable } from '../../database/database';
import { pause } from '../../kernel/pause';
import { describeError, type Log } from '../../logging/log';
import { TelegramFailure } from './bot-api/telegram-failure';
import type { TelegramPart, TelegramStatus } from './telegram-status';

/** Longest wait between the retries for a refused token or an unreachable chat (telegram.md 1). */
const MAX_WAIT_MS = 15_000;
const MIN_WAIT_MS = 500;
/** A single dropped connection is not reported; this many failures in a row are. */
const NEWS_AFTER_FAILURES = 3;

/** Retries a step against Telegram for as long as the service runs, and reports a problem once. */
export class Patience {
  private failures = 0;

  constructor(
    private readonly part: TelegramPart,
    private readonly status: TelegramStatus,
    private readonly log: Log,
    private readonly stop: AbortSignal,
  ) {}

  /** Repeats the step until it returns true or the service stops. */
  async repeat(step: () => Promise<boolean>): Promise<void> {
    while (!this.stop.aborted) {
      try {
        if (await step()) return;
      } catch (error) {
        await this.afterFailure(error);
      }
    }
  }

  /** Reports that the part works. */
  succeeded(): void {
    this.failures = 0;
    this.status.report(this.part, null);
  }

  pause(ms: number): Promise<void> {
    return pause(ms, this.stop);
  }

  private async afterFailure(error: unknown): Promise<void> {
    if (this.stop.aborted) return;
    const refused = error instanceof TelegramFailure && error.reason === 'unauthorized';
    const answered = error instanceof TelegramFailure && error.status !== null && error.status < 500;
    const message = describeError(error);
    this.failures++;
    // An error from Telegram itself does not pass by itself: report it without waiting for a third failure.
    const news = refused || (answered && error.reason !== 'conflict') || this.failures >= NEWS_AFTER_FAILURES;
    // Do not blame Telegram while the database is unavailable: health reports that.
    if (news && !isUnavailable(error)) {
      this.status.report(this.part, refused ? 'Telegram refuses the bot token' : `${this.part}: ${message}`);
    }
    this.log.event('debug', 'telegram.step-failed', { part: this.part, error: message }, 'tried again later');
    await this.pause(
      refused ? MAX_WAIT_MS : Math.min(MAX_WAIT_MS, MIN_WAIT_MS * 2 ** Math.min(this.failures - 1, 10)),
    );
  }
}
