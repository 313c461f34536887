import { Global, Module, type DynamicModule } from '@nestjs/common';
import { TelegrafModule } from 'nestjs-telegraf';
import type { Config } from '../config/environment';
import { OperatorChat } from '../escalation/operator-chat';
import { ResilienceModule } from '../resilience/resilience.module';
import { OperatorUpdates } from './operator-updates';
import { People } from './people';
import { Replies } from './replies';
import { showsTelegramUnwell } from './retryability';
import { SendingCheck } from './sending-check';
import { Taps } from './taps';
import { TelegramApi } from './telegram-api';
import { TelegramChat } from './telegram-chat';
import { TelegramProbe } from './telegram-probe';
import { TelegramStatus } from './telegram-status';
import { UpdateHandler } from './update-handler';
import { UpdatePoller } from './update-poller';
import { WebhookEndpoint } from './webhook-endpoint';
import { BotConnection } from './bot-connection';

@Global()
@Module({ providers: [TelegramStatus], exports: [TelegramStatus] })
export class TelegramModule {
  /** With Telegram off, the module provides only its status, which reports that. */
  static with({ telegram, breaker }: Config): DynamicModule {
    if (telegram === null) return { module: TelegramModule };
    return {
      module: TelegramModule,
      imports: [
        ResilienceModule.forPeer(breaker, showsTelegramUnwell),
        TelegrafModule.forRoot({
          token: telegram.token,
          // Telegraf's own launch fetches updates before handlers exist, and a 401 or 409 ends the process.
          launchOptions: false,
          options: { telegram: { apiRoot: telegram.apiRoot, webhookReply: false } },
        }),
      ],
      providers: [
        TelegramApi,
        { provide: OperatorChat, useClass: TelegramChat },
        People,
        Replies,
        Taps,
        OperatorUpdates,
        BotConnection,
        UpdateHandler,
        telegram.webhook === null ? UpdatePoller : WebhookEndpoint,
        TelegramProbe,
        SendingCheck,
      ],
      exports: [OperatorChat],
    };
  }
}
