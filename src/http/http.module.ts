import { Global, Module } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { ConnectionLimit } from './connection-limit';
import { Heartbeats } from './heartbeats';
import { ProblemFilter } from './problem';
import { UnreadAnswers } from './unread-answers';
import { InputPipe } from './zod';

@Global()
@Module({
  providers: [
    { provide: APP_FILTER, useClass: ProblemFilter },
    { provide: APP_PIPE, useClass: InputPipe },
    Heartbeats,
    UnreadAnswers,
    ConnectionLimit,
  ],
  exports: [Heartbeats, UnreadAnswers, ConnectionLimit],
})
export class HttpModule {}
