import { Module, type DynamicModule } from '@nestjs/common';
import { FinishedApprovals } from '../approvals/finished-approvals';
import type { Config } from '../config/environment';
import { CardStore } from './telegram/card-store';
import { BringUpCardHandler } from './telegram/commands/bring-up-card';
import { MoveChatHandler } from './telegram/commands/move-chat';
import { ReplyToCardHandler } from './telegram/commands/reply-to-card';
import { ReportGapHandler } from './telegram/commands/report-gap';
import { TapCardHandler } from './telegram/commands/tap-card';
import { TelegramChannel } from './telegram/telegram-channel';
import { Channel } from './channel';
import { DeliveryWorker } from './delivery-worker';
import { OutboxModule } from '../outbox/outbox.module';
import { IsCardHandler } from './telegram/queries/is-card';
import { Carrier } from '../outbox/carrier';
import { Lanes } from '../outbox/lanes';
import { ChatMoves } from './telegram/chat-moves';
import { Destination } from './telegram/destination';
import { SendBudget } from './telegram/send-budget';
import { TelegramCarrier } from './telegram/telegram-carrier';

@Module({
  imports: [OutboxModule],
  providers: [
    { provide: Lanes, useExisting: Destination },
    { provide: Carrier, useClass: TelegramCarrier },
    ChatMoves,
    SendBudget,
    CardStore,
    Destination,
    IsCardHandler,
    TapCardHandler,
    ReplyToCardHandler,
    BringUpCardHandler,
    ReportGapHandler,
    MoveChatHandler,
  ],
  exports: [Lanes, Carrier, SendBudget, Destination],
})
export class ChannelsModule {
  /** With Telegram off, there is nothing to deliver. */
  static with({ telegram }: Config): DynamicModule {
    return {
      module: ChannelsModule,
      global: true,
      providers:
        telegram === null
          ? []
          : [FinishedApprovals, { provide: Channel, useClass: TelegramChannel }, DeliveryWorker],
    };
  }
}
