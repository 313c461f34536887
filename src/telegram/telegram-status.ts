import { Injectable } from '@nestjs/common';
import { Log } from '../logging/log';

/** The parts of the way to the operators; each reports for itself. */
export type TelegramPart = 'token' | 'chat' | 'polling' | 'sending';

export interface TelegramHealth {
  readonly enabled: boolean;
  /** Null while the way to the operators works. */
  readonly degradedBecause: string | null;
}

/**
 * What is known of the way to the operators: kept by those who use it, read by health and metrics. It tells the log
 * once that the way is broken and once that it is whole, however many parts fail and however often.
 */
@Injectable()
export class TelegramStatus {
  private enabled = false;
  private announced = false;
  private readonly troubles = new Map<TelegramPart, string>();

  constructor(private readonly log: Log) {}

  enable(): void {
    this.enabled = true;
    // Nothing is known yet: that is no trouble to announce, and not health either.
    this.troubles.set('token', 'Telegram has not answered yet');
  }

  /** @param trouble what is wrong, or null when the part works. */
  report(part: TelegramPart, trouble: string | null): void {
    if (trouble !== null) {
      this.troubles.set(part, trouble);
      if (!this.announced) {
        this.log.event(
          'error',
          'telegram.unreachable',
          { part, reason: trouble },
          `Telegram is out of reach: ${trouble}`,
        );
      }
      this.announced = true;
      return;
    }
    if (!this.troubles.delete(part) || this.troubles.size > 0 || !this.announced) return;
    this.announced = false;
    this.log.event('info', 'telegram.reached', { part }, 'Telegram is in reach again');
  }

  get health(): TelegramHealth {
    const [trouble] = this.troubles.values();
    return { enabled: this.enabled, degradedBecause: trouble ?? null };
  }
}
