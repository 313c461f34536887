import { Global, Module } from '@nestjs/common';
import { RateLimits } from '../approvals/rate-limits';
import { RefusalLog } from '../audit/refusal-log';
import { CONFIG, type Config } from '../config/environment';
import { Clock } from '../kernel/clock';
import { Log } from '../logging/log';
import { Gatekeeper } from './gatekeeper';
import { KeyRing } from './key-ring';
import { KeyStore } from './key-store';
import { ProcessRateLimits } from './process-rate-limits';

/** Global: every controller needs authentication. */
@Global()
@Module({
  providers: [
    KeyStore,
    {
      provide: KeyRing,
      inject: [KeyStore, Clock, Log, CONFIG],
      useFactory: (store: KeyStore, clock: Clock, log: Log, config: Config) =>
        KeyRing.open(store, clock, log, config),
    },
    RefusalLog,
    Gatekeeper,
    { provide: RateLimits, useClass: ProcessRateLimits },
  ],
  exports: [KeyRing, RefusalLog, Gatekeeper, RateLimits],
})
export class AccessModule {}
