import { Inject, Injectable, type OnModuleInit, type Provider } from '@nestjs/common';
import { CONFIG, type Config } from '../../config/environment';
import { Clock } from '../../kernel/clock';
import { CircuitBreakerService } from '../../resilience/circuit-breaker';
import { BreakerMoved } from './metric-events';
import { MetricsRecorder } from './metrics-recorder';

/** The circuit breaker before Telegram. */
export type Breaker = CircuitBreakerService;
export const BREAKER = Symbol('breaker');

/** The breaker that guards the calls; with Telegram off, one that guards nothing and stays closed. */
export const breakerProvider: Provider = {
  provide: BREAKER,
  inject: [{ token: CircuitBreakerService, optional: true }, CONFIG, Clock],
  useFactory: (guarding: CircuitBreakerService | undefined, config: Config, clock: Clock): Breaker =>
    guarding ?? new CircuitBreakerService(config.breaker, () => true, clock),
};

/** Counts the state changes of the breaker. */
@Injectable()
export class BreakerWatch implements OnModuleInit {
  constructor(
    @Inject(BREAKER) private readonly breaker: Breaker,
    private readonly recorder: MetricsRecorder,
  ) {}

  onModuleInit(): void {
    this.breaker.onStateChange(({ to }) => this.recorder.record(new BreakerMoved(to)));
  }
}
