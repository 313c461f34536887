import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Clock } from '../kernel/clock';
import { describeError, Log } from '../logging/log';
import { CircuitBreakerService, type BreakerTransition } from '../resilience/circuit-breaker';
import { TelegramApi } from './telegram-api';

/** Closes an open circuit by asking getMe when a trial is due: no card is risked to find out. */
@Injectable()
export class TelegramProbe implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  constructor(
    private readonly api: TelegramApi,
    private readonly breaker: CircuitBreakerService,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.breaker.onStateChange((transition) => this.changed(transition));
  }

  beforeApplicationShutdown(): void {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
  }

  private changed({ from, to, forced }: BreakerTransition): void {
    const level = to === 'open' ? 'error' : 'info';
    this.log.event(level, 'circuit.changed', { from, to, forced }, `the circuit to Telegram is ${to}`);
    this.plan();
  }

  private plan(): void {
    if (this.timer) clearTimeout(this.timer);
    // Null also when it is held open by hand: only a hand closes it.
    const { nextAttemptAt } = this.breaker.statistics();
    if (nextAttemptAt === null || this.stopped) return;
    const waitMs = Math.max(1, nextAttemptAt.getTime() - this.clock.now().getTime());
    this.timer = setTimeout(() => void this.probe(), waitMs);
  }

  private async probe(): Promise<void> {
    try {
      await this.api.call('getMe', {}, { retry: false });
    } catch (error) {
      this.log.event(
        'debug',
        'circuit.probe-failed',
        { error: describeError(error) },
        'Telegram does not answer yet',
      );
    }
    // A timer may end a moment before the break does: then it was refused, no state changes, and nobody else tries.
    this.plan();
  }
}
