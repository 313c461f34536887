import { Injectable } from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { InjectBot } from 'nestjs-telegraf';
import { Telegraf } from 'telegraf';
import type { Update } from 'telegraf/types';
import { isUnavailable } from '../../../database/database';
import { DomainError } from '../../../kernel/errors';
import { withNewCorrelation } from '../../../logging/correlation';
import { describeError } from '../../../kernel/describe-error';
import { Log } from '../../../logging/log';
import type { ReadableUpdate, UnreadableUpdate } from './readable-update';
import { UpdateUnreadable } from '../bot-api/telegram-events';

/** Passes updates to the handlers. These are idempotent, so an update may be delivered any number of times. */
@Injectable()
export class UpdateHandler {
  constructor(
    @InjectBot() private readonly bot: Telegraf,
    private readonly events: EventBus,
    private readonly log: Log,
  ) {
    // Telegraf's own handler for errors sets the exit code of the process.
    bot.catch((error) => {
      throw error;
    });
  }

  /**
   * @throws DomainError `database.unavailable`, and `telegram.unavailable` until the bot's identity is known: the
   * update was not handled, and Telegram must deliver it again. Any other failure is logged and the update dropped: it
   * would fail again and block the updates after it.
   */
  handle(update: ReadableUpdate): Promise<void> {
    // Every update gets a new correlation id until its approval is known.
    return withNewCorrelation(() => this.handled(update));
  }

  /** Logs, counts and drops a malformed update: it would be malformed again. */
  skip({ id, why }: UnreadableUpdate): void {
    this.log.event(
      'error',
      'telegram.update-unreadable',
      { updateId: id, error: why },
      'an update was skipped',
    );
    this.events.publish(new UpdateUnreadable());
  }

  private async handled(update: ReadableUpdate): Promise<void> {
    // Telegraf would call getMe itself, without the breaker, the timeout and the redaction.
    if (!this.bot.botInfo)
      throw new DomainError(
        'telegram.unavailable',
        'Telegram has not accepted the bot yet; send the update again.',
      );
    try {
      await this.bot.handleUpdate(update as unknown as Update);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      const fields = { updateId: update.update_id, error: describeError(error) };
      this.log.event('error', 'telegram.update-failed', fields, 'an update could not be handled');
    }
  }
}
