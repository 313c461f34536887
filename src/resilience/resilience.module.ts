import { Module, type DynamicModule } from '@nestjs/common';
import { Clock } from '../kernel/clock';
import { CircuitBreakerService, type BreakerSettings } from './circuit-breaker';

/** Provides one circuit breaker, shared by the callers of the peer, the diagnostics and the health checks. */
@Module({})
export class ResilienceModule {
  /** @param countsAsFailure true if an error shows that the peer is unwell; see {@link CircuitBreakerService}. */
  static forPeer(settings: BreakerSettings, countsAsFailure: (error: unknown) => boolean): DynamicModule {
    return {
      module: ResilienceModule,
      global: true,
      providers: [
        {
          provide: CircuitBreakerService,
          useFactory: (clock: Clock) => new CircuitBreakerService(settings, countsAsFailure, clock),
          inject: [Clock],
        },
      ],
      exports: [CircuitBreakerService],
    };
  }
}
