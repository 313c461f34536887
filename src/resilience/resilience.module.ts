import { Module, type DynamicModule } from '@nestjs/common';
import { CONFIG, type Config } from '../config/environment';
import { Clock } from '../kernel/clock';
import { CircuitBreakerService } from './circuit-breaker';

/** The one circuit breaker, the same for whoever calls the peer, for the diagnostics and for the health checks. */
@Module({})
export class ResilienceModule {
  /** @param countsAsFailure whether an error shows that the peer is unwell; see {@link CircuitBreakerService}. */
  static forPeer(countsAsFailure: (error: unknown) => boolean): DynamicModule {
    return {
      module: ResilienceModule,
      global: true,
      providers: [
        {
          provide: CircuitBreakerService,
          useFactory: (config: Config, clock: Clock) =>
            new CircuitBreakerService(config.breaker, countsAsFailure, clock),
          inject: [CONFIG, Clock],
        },
      ],
      exports: [CircuitBreakerService],
    };
  }
}
