import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from '../config/environment';
import { CardStore } from './card-store';
import { BringUpCardHandler } from './commands/bring-up-card';
import { MoveChatHandler } from './commands/move-chat';
import { ReplayDeadLettersHandler } from '../outbox/commands/replay-dead-letters';
import { ReplyToCardHandler } from './commands/reply-to-card';
import { ReportGapHandler } from './commands/report-gap';
import { TapCardHandler } from './commands/tap-card';
import { Destination } from './destination';
import { Escalation } from './escalation';
import { EscalationWorker } from './escalation-worker';
import { OutboxController } from '../outbox/outbox.controller';
import { OutboxStore } from '../outbox/outbox-store';
import { DeadLettersHandler } from '../outbox/queries/dead-letters';
import { IsCardHandler } from './queries/is-card';
import { OverviewHandler } from '../outbox/queries/overview';
import { Lanes } from '../outbox/lanes';
import { SendBudget } from '../outbox/send-budget';
import { TelegramLanes } from './telegram/telegram-lanes';

@Module({
  controllers: [OutboxController],
  providers: [
    { provide: Lanes, useClass: TelegramLanes },
    SendBudget,
    OutboxStore,
    CardStore,
    Destination,
    OverviewHandler,
    IsCardHandler,
    DeadLettersHandler,
    ReplayDeadLettersHandler,
    TapCardHandler,
    ReplyToCardHandler,
    BringUpCardHandler,
    ReportGapHandler,
    MoveChatHandler,
  ],
  exports: [Lanes, SendBudget, Destination],
})
export class EscalationModule {
  /** Includes the worker only with Telegram on: the chat's module provides its OperatorChat. */
  static with({ telegram }: Config): DynamicModule {
    return {
      module: EscalationModule,
      global: true,
      providers: telegram === null ? [] : [Escalation, EscalationWorker],
    };
  }
}
