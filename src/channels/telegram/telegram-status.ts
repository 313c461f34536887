import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Clock } from '../../kernel/clock';
import { Log } from '../../logging/log';

/** The parts of the connection to the operators; each reports its own state. */
export type TelegramPart = 'token' | 'chat' | 'polling' | 'webhook' | 'sending';

export interface TelegramHealth {
  readonly enabled: boolean;
  /** Null while the connection to the operators works. */
  readonly degradedBecause: string | null;
}

/** A logged problem is over after this time without recurrence; an intermittent problem counts as one. */
export const STEADY_MS = 10_000;

interface Trouble {
  readonly reason: string;
  readonly reportedAtMs: number;
  /** True if the problem was logged, and so perhaps read by a person. */
  readonly told: boolean;
  /** Null while it lasts. */
  readonly wellSinceMs: number | null;
}

/**
 * State of the connection to the operators: its users update it, health and metrics read it. A problem shows at once,
 * its end after {@link STEADY_MS}. The log has one entry when the connection breaks and one when it works again, for
 * any number of parts and failures.
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
    // The state is still unknown: not healthy, but not a problem to log either.
    this.note('token', { reason: 'Telegram has not answered yet', told: false, wellSinceMs: null });
  }

  /** @param reason the problem, or null if the part works. */
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

  /** Milliseconds since the part last reported its current problem; null if it has none. */
  troubledFor(part: TelegramPart): number | null {
    const trouble = this.troubles.get(part);
    return trouble?.wellSinceMs === null ? this.clock.monotonicMs() - trouble.reportedAtMs : null;
  }

  get health(): TelegramHealth {
    this.forgetWhatIsOver();
    const troubles = [...this.troubles.values()];
    // A lasting problem matters more than one that seems to be over.
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
      // A timer may fire a moment early.
      else this.lookAgain(STEADY_MS - (now - wellSinceMs));
    }
    if (this.troubles.size > 0 || !this.announced) return;
    this.announced = false;
    this.log.event('info', 'telegram.reached', {}, 'Telegram is in reach again');
  }
}
