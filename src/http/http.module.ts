import { Global, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { AccessGuard } from './access.guard';
import { Heartbeats } from './heartbeats';
import { ProblemFilter } from './problem';
import { InputPipe } from './zod';

@Global()
@Module({
  providers: [
    { provide: APP_GUARD, useClass: AccessGuard },
    { provide: APP_FILTER, useClass: ProblemFilter },
    { provide: APP_PIPE, useClass: InputPipe },
    Heartbeats,
  ],
  exports: [Heartbeats],
})
export class HttpModule {}
