import { Module } from '@nestjs/common';
import { ReplayDeadLettersHandler } from './commands/replay-dead-letters';
import { OutboxStore } from './outbox-store';
import { CountUnsentHandler } from './queries/count-unsent';
import { DeadLettersHandler } from './queries/dead-letters';

/** Needs a global module that provides the Carrier. */
@Module({
  providers: [OutboxStore, CountUnsentHandler, DeadLettersHandler, ReplayDeadLettersHandler],
  exports: [OutboxStore],
})
export class OutboxModule {}
