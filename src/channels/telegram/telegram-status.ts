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

/** A reported problem is over after this time without recurrence; an intermittent problem counts as one. */
export const STEADY_MS = 10_000;

interface Trouble {
  readonly reason: string;
  readonly sinceMs: number;
  /** Null while it lasts. */
  readonly endMs: number | null;
}

const NO_ANSWER_YET = 'Telegram has not answered yet';

/**
 * State of the connection to the operators: its users update it, health and metrics read it. A problem shows at once,
 * its end after {@link STEADY_MS}. The log has one entry when the connection breaks and one when it works again, for
 * any number of parts and failures.
 */
@Injectable()
export class TelegramStatus implements BeforeApplicationShutdown {
  private enabled = false;
  /** True after the log entry of a problem, until that of its end. */
  private inLog = false;
  private readonly failures = new Map<TelegramPart, number>();
  private readonly troubles = new Map<TelegramPart, Trouble>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly log: Log,
    private readonly clock: Clock,
  ) {}

  beforeApplicationShutdown(): void {
    if (this.timer) clearTimeout(this.timer);
  }

  enable(): void {
    this.enabled = true;
    // The state is still unknown: not healthy, but not a problem to log either.
    this.begin('token', NO_ANSWER_YET);
  }

  /**
   * @param reason the problem, or null if the part works.
   * @param after the problem shows from this many failures in a row.
   * @returns the failures in a row.
   */
  report(part: TelegramPart, reason: string | null, after = 1): number {
    const failures = reason === null ? 0 : (this.failures.get(part) ?? 0) + 1;
    this.failures.set(part, failures);
    if (reason === null) {
      this.end(part);
    } else if (failures >= after) {
      this.begin(part, reason);
      if (!this.inLog)
        this.log.event(
          'error',
          'telegram.unreachable',
          { part, reason },
          `Telegram is out of reach: ${reason}`,
        );
      this.inLog = true;
    }
    return failures;
  }

  /** Milliseconds since the part last reported its current problem; null if it has none. */
  troubleMs(part: TelegramPart): number | null {
    const trouble = this.troubles.get(part);
    return trouble?.endMs === null ? this.clock.monotonicMs() - trouble.sinceMs : null;
  }

  get health(): TelegramHealth {
    this.settle();
    const troubles = [...this.troubles.values()];
    // A lasting problem matters more than one that seems to be over.
    const worst = troubles.find(({ endMs }) => endMs === null) ?? troubles[0];
    return { enabled: this.enabled, degradedBecause: worst ? this.describe(worst) : null };
  }

  private describe({ reason, endMs }: Trouble): string {
    if (endMs === null) return reason;
    const seconds = Math.floor((this.clock.monotonicMs() - endMs) / 1000);
    return `works again for ${seconds} s, watched for ${STEADY_MS / 1000} s: ${reason}`;
  }

  private begin(part: TelegramPart, reason: string): void {
    this.troubles.set(part, { reason, sinceMs: this.clock.monotonicMs(), endMs: null });
  }

  private end(part: TelegramPart): void {
    const trouble = this.troubles.get(part);
    if (!trouble || trouble.endMs !== null) return;
    if (trouble.reason === NO_ANSWER_YET) this.troubles.delete(part);
    else this.troubles.set(part, { ...trouble, endMs: this.clock.monotonicMs() });
    this.settle();
  }

  /** Removes the problems that are over, and logs the end of the last one; plans itself while there are others. */
  private settle(): void {
    if (this.timer) clearTimeout(this.timer);
    const now = this.clock.monotonicMs();
    let restMs = Infinity;
    for (const [part, { endMs }] of this.troubles) {
      if (endMs === null) continue;
      if (now - endMs >= STEADY_MS) this.troubles.delete(part);
      else restMs = Math.min(restMs, STEADY_MS - (now - endMs));
    }
    if (restMs < Infinity) this.timer = setTimeout(() => this.settle(), restMs).unref();
    if (this.troubles.size > 0 || !this.inLog) return;
    this.inLog = false;
    this.log.event('info', 'telegram.reached', {}, 'Telegram is in reach again');
  }
}
