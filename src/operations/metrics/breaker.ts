import { Inject, Injectable, type OnModuleInit, type Provider } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import { Counter } from 'prom-client';
import { CONFIG, type Config } from '../../config/environment';
import { Clock } from '../../kernel/clock';
import { CircuitBreakerService } from '../../resilience/circuit-breaker';
import { BREAKER_STATES } from './labels';

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
  @InjectMetric('circuit_breaker_transitions_total') private readonly transitions!: Counter;

  constructor(@Inject(BREAKER) private readonly breaker: Breaker) {}

  onModuleInit(): void {
    for (const to of BREAKER_STATES) this.transitions.inc({ to }, 0);
    this.breaker.onStateChange(({ to }) => this.transitions.inc({ to }));
  }
}
