import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { RateLimits } from './rate-limits';
import { RefusalLog } from '../audit/refusal-log';
import { CONFIG, type Config } from '../config/environment';
import { Clock } from '../kernel/clock';
import { Log } from '../logging/log';
import { AccessGuard } from './access.guard';
import { BodyParser } from './body-parser';
import { RevokeKeyHandler } from './commands/revoke-key';
import { Gatekeeper } from './gatekeeper';
import { HostCheck } from './host-check';
import { KeyRing } from './key-ring';
import { KeyStore } from './key-store';
import { KeysController } from './keys.controller';
import { ListKeysHandler } from './queries/list-keys';
import { OpenAnswers } from './open-answers';
import { OpenBodies } from './open-bodies';
import { ProcessRateLimits } from './process-rate-limits';
import { SessionStore } from './sessions/session-store';
import { SessionWatch } from './sessions/session-watch';
import { Sessions } from './sessions/sessions';

/** Global: every controller needs authentication. */
@Global()
@Module({
  controllers: [KeysController],
  providers: [
    { provide: APP_GUARD, useClass: AccessGuard },
    KeyStore,
    ListKeysHandler,
    RevokeKeyHandler,
    {
      provide: KeyRing,
      inject: [KeyStore, Clock, Log, CONFIG],
      useFactory: (store: KeyStore, clock: Clock, log: Log, config: Config) =>
        KeyRing.open(store, clock, log, config),
    },
    SessionStore,
    SessionWatch,
    Sessions,
    RefusalLog,
    Gatekeeper,
    { provide: RateLimits, useClass: ProcessRateLimits },
    { provide: OpenBodies, useFactory: () => new OpenBodies() },
    OpenAnswers,
    HostCheck,
    BodyParser,
  ],
  exports: [KeyRing, Sessions, RefusalLog, Gatekeeper, RateLimits, OpenAnswers],
})
export class AccessModule {}
