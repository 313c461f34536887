import { Global, Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { AccessGuard } from '../access/access.guard';
import { BodyParser } from '../access/body-parser';
import { ConnectionLimit } from './connection-limit';
import { Heartbeats } from './heartbeats';
import { HostCheck } from '../access/host-check';
import { OpenAnswers } from '../access/open-answers';
import { ProblemFilter } from './problem';
import { UnreadAnswers } from './unread-answers';
import { InputPipe } from './zod';

@Global()
@Module({
  providers: [
    { provide: APP_GUARD, useClass: AccessGuard },
    { provide: APP_FILTER, useClass: ProblemFilter },
    { provide: APP_PIPE, useClass: InputPipe },
    Heartbeats,
    UnreadAnswers,
    ConnectionLimit,
    OpenAnswers,
    HostCheck,
    BodyParser,
  ],
  exports: [Heartbeats, UnreadAnswers, ConnectionLimit, OpenAnswers],
})
export class HttpModule implements NestModule {
  constructor(
    private readonly unread: UnreadAnswers,
    private readonly connections: ConnectionLimit,
    private readonly hosts: HostCheck,
    private readonly bodies: BodyParser,
  ) {}

  /** The first moment at which modules exist and routes do not. */
  configure(_consumer: MiddlewareConsumer): void {
    this.unread.attach();
    this.connections.attach();
    this.hosts.attach();
    this.bodies.attach();
  }
}
