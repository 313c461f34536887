import { Global, Module, type DynamicModule } from '@nestjs/common';
import { FinishedApprovals } from '../../approvals/finished-approvals';
import { TelegrafModule } from 'nestjs-telegraf';
import type { Config } from '../../config/environment';
import { OutboxModule } from '../../outbox/outbox.module';
import { OperatorChat } from './operator-chat';
import { ResilienceModule } from '../../resilience/resilience.module';
import { Menu } from './menu';
import { OperatorUpdates } from './operators/operator-updates';
import { People } from './operators/people';
import { Replies } from './operators/replies';
import { showsTelegramUnwell } from './bot-api/retryability';
import { Taps } from './operators/taps';
import { TelegramApi } from './bot-api/telegram-api';
import { TelegramChat } from './telegram-chat';
import { TelegramStatus } from './telegram-status';
import { TelegramWatch } from './telegram-watch';
import { TurnSummaries } from './turn-summaries';
import { UpdateHandler } from './updates/update-handler';
import { UpdatePoller } from './updates/update-poller';
import { WebhookEndpoint } from './updates/webhook-endpoint';

@Global()
@Module({ providers: [TelegramStatus], exports: [TelegramStatus] })
export class TelegramModule {
  /** With Telegram off, the module provides only its status, which reports that. */
  static with({ telegram, breaker }: Config): DynamicModule {
    if (telegram === null) return { module: TelegramModule };
    return {
      module: TelegramModule,
      imports: [
        OutboxModule,
        ResilienceModule.forPeer(breaker, showsTelegramUnwell),
        TelegrafModule.forRoot({
          token: telegram.token,
          // Telegraf's own launch fetches updates before handlers exist, and a 401 or 409 ends the process.
          launchOptions: false,
          options: { telegram: { apiRoot: telegram.apiRoot, webhookReply: false } },
        }),
      ],
      providers: [
        FinishedApprovals,
        TelegramApi,
        { provide: OperatorChat, useClass: TelegramChat },
        People,
        Menu,
        Replies,
        TurnSummaries,
        Taps,
        OperatorUpdates,
        TelegramWatch,
        UpdateHandler,
        telegram.webhook === null ? UpdatePoller : WebhookEndpoint,
      ],
      exports: [OperatorChat, TurnSummaries],
    };
  }
}
