import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { NO_TOPIC } from '../database/outbox-work';
import { Destination } from '../escalation/destination';
import { describeError, Log } from '../logging/log';
import { TelegramApi } from './telegram-api';
import { TelegramStatus } from './telegram-status';

const LOOK_EVERY_MS = 5_000;
/** What waits in the outbox is tried at least every 15 s, and reports for itself; longer silence: nothing waits. */
const QUIET_MS = 20_000;

/**
 * Ends a trouble with sending when there is nothing left to send: the message that failed has expired, say. Says that the
 * bot is typing, which puts nothing into the chat and is refused as a message would be.
 */
@Injectable()
export class SendingCheck implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly api: TelegramApi,
    private readonly status: TelegramStatus,
    private readonly log: Log,
    private readonly destination: Destination,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
  }

  beforeApplicationShutdown(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** Never rejects. */
  async look(): Promise<void> {
    if ((this.status.troubledFor('sending') ?? 0) < QUIET_MS) return;
    try {
      const { chatId, threadId } = await this.destination.now();
      const topic = threadId === NO_TOPIC ? {} : { message_thread_id: Number(threadId) };
      await this.api.call(
        'sendChatAction',
        { chat_id: chatId, action: 'typing', ...topic },
        { retry: false },
      );
      this.status.report('sending', null);
    } catch (error) {
      const fields = { error: describeError(error) };
      this.log.event('debug', 'telegram.check-failed', fields, 'messages would still not get through');
    }
  }
}
