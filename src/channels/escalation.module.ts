import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from '../config/environment';
import { CardStore } from './telegram/card-store';
import { BringUpCardHandler } from './commands/bring-up-card';
import { MoveChatHandler } from './commands/move-chat';
import { ReplayDeadLettersHandler } from '../outbox/commands/replay-dead-letters';
import { ReplyToCardHandler } from './commands/reply-to-card';
import { ReportGapHandler } from './commands/report-gap';
import { TapCardHandler } from './commands/tap-card';
import { Escalation } from './escalation';
import { EscalationWorker } from './escalation-worker';
import { OutboxStore } from '../outbox/outbox-store';
import { DeadLettersHandler } from '../outbox/queries/dead-letters';
import { IsCardHandler } from './queries/is-card';
import { OverviewHandler } from '../outbox/queries/overview';
import { Carrier } from '../outbox/carrier';
import { Lanes } from '../outbox/lanes';
import { ChatMoves } from './telegram/chat-moves';
import { Destination } from './telegram/destination';
import { SendBudget } from './telegram/send-budget';
import { TelegramCarrier } from './telegram/telegram-carrier';

@Module({
  providers: [
    { provide: Lanes, useExisting: Destination },
    { provide: Carrier, useClass: TelegramCarrier },
    ChatMoves,
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
