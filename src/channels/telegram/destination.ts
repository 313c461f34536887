import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, telegramOf, type Config } from '../../config/environment';
import { Lanes } from '../../outbox/lanes';
import { ChatMoves } from './chat-moves';
import { formatLane, type ChatLane } from './lane';

/** The lane for messages to operators: the configured chat or topic, or the chat that its group became. */
@Injectable()
export class Destination extends Lanes {
  /** The chat that the configured one became, if this replica knows of a move. */
  private movedTo: string | null = null;

  constructor(
    private readonly moves: ChatMoves,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    super();
  }

  /** As far as this replica knows; work in the lane of a chat that moved is moved before it is sent. */
  get current(): readonly string[] {
    return this.config.telegram === null ? [] : [formatLane(this.known)];
  }

  /** The current lane. Rejects with DomainError `database.unavailable`. */
  async now(): Promise<ChatLane> {
    this.movedTo = await this.moves.movedTo(this.configured.chatId);
    return this.known;
  }

  /** The lane in the configuration. */
  get configured(): ChatLane {
    const { chatId, threadId } = telegramOf(this.config);
    return { chatId, threadId };
  }

  /** Like {@link isIn}, but looks up an unknown chat, since another replica may have followed a move. */
  async includes(chatId: string): Promise<boolean> {
    return this.isIn(chatId) || (await this.now()).chatId === chatId;
  }

  /** True if this replica knows the chat as the operators' one. Others may hold cards of earlier configurations. */
  isIn(chatId: string): boolean {
    return chatId === this.configured.chatId || chatId === this.movedTo;
  }

  private get known(): ChatLane {
    const { chatId, threadId } = this.configured;
    return { chatId: this.movedTo ?? chatId, threadId };
  }
}
