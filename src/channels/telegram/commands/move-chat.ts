import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Log } from '../../../logging/log';
import { CardStore } from '../card-store';
import { ChatMoves } from '../chat-moves';
import { Destination } from '../destination';
import { NO_TOPIC } from '../lane';

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
    private readonly moves: ChatMoves,
    private readonly cards: CardStore,
    private readonly destination: Destination,
    private readonly log: Log,
  ) {}

  async execute({ fromChatId: from, toChatId: to }: MoveChatCommand): Promise<void> {
    const isNew = (await this.moves.movedTo(from)) === null;
    await this.moves.follow(from, to);
    const chained = await this.cards.enqueueMoved(from, to);
    await this.destination.now();
    const isOwn = this.destination.isIn(to);
    const missing = isOwn ? await this.cards.enqueueMissing({ chatId: to, threadId: NO_TOPIC }) : 0;
    const cards = chained + missing;
    if (!isNew) return;
    const name = isOwn ? 'TELEGRAM_CHAT_ID' : 'the destination in the policy';
    const advice = `the chat ${from} has become ${to}: set ${name} to that`;
    this.log.event('error', 'escalation.chat-migrated', { from, to, cards }, advice);
  }
}
