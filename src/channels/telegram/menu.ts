import { Injectable } from '@nestjs/common';
import { describeError } from '../../kernel/describe-error';
import { Log } from '../../logging/log';
import { TelegramApi, type CallOptions } from './bot-api/telegram-api';
import { COMMANDS, PUBLIC_COMMANDS } from './operators/commands';

/** The commands that Telegram offers while somebody writes: everything in the chats of operators, little elsewhere. */
@Injectable()
export class Menu {
  private readonly offered = new Set<string>();

  constructor(
    private readonly api: TelegramApi,
    private readonly log: Log,
  ) {}

  /** Rejects with TelegramFailure. */
  async offerPublic(options: CallOptions): Promise<void> {
    await this.api.call('setMyCommands', { commands: PUBLIC_COMMANDS }, options);
  }

  /** Offers all commands in a chat. Rejects with TelegramFailure. */
  async offerIn(chatId: string, options: CallOptions): Promise<void> {
    const scope = { type: 'chat', chat_id: chatId };
    await this.api.call('setMyCommands', { commands: COMMANDS, scope }, options);
    this.offered.add(chatId);
  }

  /** Offers all commands in a chat in which an operator has used one, once for this process. Best effort; never rejects. */
  async offerOnce(chatId: string): Promise<void> {
    if (this.offered.has(chatId)) return;
    this.offered.add(chatId);
    try {
      await this.offerIn(chatId, { retry: false });
    } catch (error) {
      const fields = { chatId, error: describeError(error) };
      this.log.event('debug', 'telegram.menu-failed', fields, 'the chat keeps the menu that it has');
    }
  }
}
