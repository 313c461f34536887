import { Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { KeyRing } from '../access/key-ring';
import { KeyStore } from '../access/key-store';
import { CONFIG, type Config } from '../config/environment';
import { Clock } from '../kernel/clock';
import { Log } from '../logging/log';
import { AccessGuard } from './access.guard';
import { ProblemFilter } from './problem';
import { InputPipe } from './zod';

@Module({
  providers: [
    KeyStore,
    {
      provide: KeyRing,
      inject: [KeyStore, Clock, Log, CONFIG],
      useFactory: (store: KeyStore, clock: Clock, log: Log, config: Config) =>
        KeyRing.open(store, clock, log, config),
    },
    { provide: APP_GUARD, useClass: AccessGuard },
    { provide: APP_FILTER, useClass: ProblemFilter },
    { provide: APP_PIPE, useClass: InputPipe },
  ],
})
export class HttpModule {}
