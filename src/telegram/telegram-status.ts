import { Injectable } from '@nestjs/common';

export interface TelegramHealth {
  readonly enabled: boolean;
  /** Null while the way to the operators works. */
  readonly degradedBecause: string | null;
}

/** What is known of the way to the operators; kept by the poller and the gateway, read by health and metrics. */
@Injectable()
export class TelegramStatus {
  private enabled = false;
  private reason: string | null = null;

  enable(): void {
    this.enabled = true;
    this.reason = 'starting: Telegram has not answered yet';
  }

  /** @returns whether this is news. */
  up(): boolean {
    const news = this.reason !== null;
    this.reason = null;
    return news;
  }

  /** @returns whether this is news. */
  down(reason: string): boolean {
    const news = this.reason !== reason;
    this.reason = reason;
    return news;
  }

  get health(): TelegramHealth {
    return { enabled: this.enabled, degradedBecause: this.enabled ? this.reason : null };
  }
}
