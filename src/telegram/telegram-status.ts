import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Clock } from '../kernel/clock';
import { Log } from '../logging/log';

/** The parts of the way to the operators; each reports for itself. */
export type TelegramPart = 'token' | 'chat' | 'polling' | 'webhook' | 'sending';

export interface TelegramHealth {
  readonly enabled: boolean;
  /** Null while the way to the operators works. */
  readonly degradedBecause: string | null;
}

/** A trouble that was told is over once it has not come back for this long: what comes and goes is one trouble. */
export const STEADY_MS = 10_000;

interface Trouble {
  readonly reason: string;
  readonly reportedAtMs: number;
  /** Whether the log, and with it perhaps a person, was told. */
  readonly told: boolean;
  /** Null while it lasts. */
  readonly wellSinceMs: number | null;
}

/**
 * What is known of the way to the operators: kept by those who use it, read by health and metrics. Trouble shows at
 * once, its end after {@link STEADY_MS}. The log is told once that the way is broken and once that it is whole, however
 * many parts fail and however often.
 */
@Injectable()
export class TelegramStatus implements BeforeApplicationShutdown {
  private enabled = false;
  private announced = false;
  private readonly troubles = new Map<TelegramPart, Trouble>();
  private steadyTimer: NodeJS.Timeout | null = null;

  constructor(
    private readonly log: Log,
    private readonly clock: Clock,
  ) {}

  beforeApplicationShutdown(): void {
    if (this.steadyTimer) clearTimeout(this.steadyTimer);
  }

  enable(): void {
    this.enabled = true;
    // Nothing is known yet: that is no trouble to announce, and not health either.
    this.note('token', { reason: 'Telegram has not answered yet', told: false, wellSinceMs: null });
  }

  /** @param reason what is wrong, or null when the part works. */
  report(part: TelegramPart, reason: string | null): void {
    if (reason === null) {
      this.mended(part);
      return;
    }
    this.note(part, { reason, told: true, wellSinceMs: null });
    if (!this.announced) {
      const fields = { part, reason };
      this.log.event('error', 'telegram.unreachable', fields, `Telegram is out of reach: ${reason}`);
    }
    this.announced = true;
  }

  /** How long ago the part was last said to be in trouble, in milliseconds; null when it is not. */
  troubledFor(part: TelegramPart): number | null {
    const trouble = this.troubles.get(part);
    return trouble?.wellSinceMs === null ? this.clock.monotonicMs() - trouble.reportedAtMs : null;
  }

  get health(): TelegramHealth {
    this.forgetWhatIsOver();
    const troubles = [...this.troubles.values()];
    // What lasts matters more than what seems to be over.
    const worst = troubles.find(({ wellSinceMs }) => wellSinceMs === null) ?? troubles[0];
    return { enabled: this.enabled, degradedBecause: worst ? this.describe(worst) : null };
  }

  private describe({ reason, wellSinceMs }: Trouble): string {
    if (wellSinceMs === null) return reason;
    const seconds = Math.floor((this.clock.monotonicMs() - wellSinceMs) / 1000);
    return `works again for ${seconds} s, watched for ${STEADY_MS / 1000} s: ${reason}`;
  }

  private note(part: TelegramPart, trouble: Omit<Trouble, 'reportedAtMs'>): void {
    this.troubles.set(part, { ...trouble, reportedAtMs: this.clock.monotonicMs() });
  }

  private mended(part: TelegramPart): void {
    const trouble = this.troubles.get(part);
    if (!trouble || trouble.wellSinceMs !== null) return;
    if (trouble.told) {
      this.troubles.set(part, { ...trouble, wellSinceMs: this.clock.monotonicMs() });
      this.lookAgain(STEADY_MS);
    } else {
      this.troubles.delete(part);
    }
  }

  private lookAgain(inMs: number): void {
    if (this.steadyTimer) clearTimeout(this.steadyTimer);
    this.steadyTimer = setTimeout(() => this.forgetWhatIsOver(), inMs);
    this.steadyTimer.unref();
  }

  private forgetWhatIsOver(): void {
    const now = this.clock.monotonicMs();
    for (const [part, { wellSinceMs }] of this.troubles) {
      if (wellSinceMs === null) continue;
      if (now - wellSinceMs >= STEADY_MS) this.troubles.delete(part);
      // A timer may end a moment early.
      else this.lookAgain(STEADY_MS - (now - wellSinceMs));
    }
    if (this.troubles.size > 0 || !this.announced) return;
    this.announced = false;
    this.log.event('info', 'telegram.reached', {}, 'Telegram is in reach again');
  }
}
