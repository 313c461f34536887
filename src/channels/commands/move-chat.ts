import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Log } from '../../logging/log';
import { Destination } from '../destination';
import { OutboxStore } from '../../outbox/outbox-store';

/** A group became a supergroup with another id; the old group accepts no more messages. */
export class MoveChatCommand extends Command<void> {
  constructor(
    readonly fromChatId: string,
    readonly toChatId: string,
  ) {
    super();
  }
}

/** Moves waiting work and every open card to the new chat, and stores the move, which overrides the configuration. */
@CommandHandler(MoveChatCommand)
export class MoveChatHandler implements ICommandHandler<MoveChatCommand> {
  constructor(
    private readonly outbox: OutboxStore,
    private readonly destination: Destination,
    private readonly log: Log,
  ) {}

  async execute({ fromChatId: from, toChatId: to }: MoveChatCommand): Promise<void> {
    const isNew = (await this.outbox.movedTo(from)) === null;
    const cards = await this.outbox.moveChat(from, to);
    await this.destination.now();
    if (!isNew) return;
    const advice = `the chat ${from} has become ${to}: set TELEGRAM_CHAT_ID to that`;
    this.log.event('error', 'escalation.chat-migrated', { from, to, cards }, advice);
  }
}
