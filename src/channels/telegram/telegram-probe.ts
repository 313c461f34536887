import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Clock } from '../../kernel/clock';
import { describeError, Log } from '../../logging/log';
import { CircuitBreakerService, type BreakerTransition } from '../../resilience/circuit-breaker';
import { TelegramApi } from './bot-api/telegram-api';

/** Closes an open circuit with a getMe call when a trial is due, so that no card is used for the trial. */
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
    // Null also if a person holds the circuit open: then only a person closes it.
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
    // The timer may fire just before the break ends: the trial is then refused, so plan the next one here.
    this.plan();
  }
}
