import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { NO_TOPIC } from './lane';
import { Destination } from './destination';
import { describeError, Log } from '../../logging/log';
import { TelegramApi } from './bot-api/telegram-api';
import { TelegramStatus } from './telegram-status';

const LOOK_EVERY_MS = 5_000;
/** The outbox retries waiting work at least every 15 s and reports it; a longer silence means that nothing waits. */
const QUIET_MS = 20_000;

/**
 * Clears a problem with sending when there is nothing left to send, for example because the failed message has expired.
 * It sends the chat action "typing", which leaves no message in the chat and is refused as a message would be.
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
