import { Module } from '@nestjs/common';
import { ReplayDeadLettersHandler } from './commands/replay-dead-letters';
import { OutboxStore } from './outbox-store';
import { DeadLettersHandler } from './queries/dead-letters';
import { OverviewHandler } from './queries/overview';

/** Needs a global module that provides the Carrier. */
@Module({
  providers: [OutboxStore, OverviewHandler, DeadLettersHandler, ReplayDeadLettersHandler],
  exports: [OutboxStore],
})
export class OutboxModule {}
