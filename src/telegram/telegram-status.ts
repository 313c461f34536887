import { Injectable } from '@nestjs/common';

/** The parts of the way to the operators; each reports for itself. */
export type TelegramPart = 'token' | 'chat' | 'polling' | 'sending';

export interface TelegramHealth {
  readonly enabled: boolean;
  /** Null while the way to the operators works. */
  readonly degradedBecause: string | null;
}

/** What is known of the way to the operators: kept by those who use it, read by health and metrics. */
@Injectable()
export class TelegramStatus {
  private enabled = false;
  private readonly troubles = new Map<TelegramPart, string>();

  enable(): void {
    this.enabled = true;
    this.troubles.set('token', 'Telegram has not answered yet');
  }

  /**
   * @param trouble what is wrong, or null when the part works.
   * @returns whether this is news.
   */
  report(part: TelegramPart, trouble: string | null): boolean {
    const before = this.troubles.get(part) ?? null;
    if (trouble === null) this.troubles.delete(part);
    else this.troubles.set(part, trouble);
    return before !== trouble;
  }

  get health(): TelegramHealth {
    const [trouble] = this.troubles.values();
    return { enabled: this.enabled, degradedBecause: trouble ?? null };
  }
}
