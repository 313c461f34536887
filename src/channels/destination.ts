import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, telegramOf, type Config } from '../config/environment';
import type { Lane } from '../outbox/outbox-work';
import { OutboxStore } from '../outbox/outbox-store';

/** The lane for messages to operators: the configured one, or the chat that its group became. */
@Injectable()
export class Destination {
  /** The chat that the configured one became, if this replica knows of a move. */
  private movedTo: string | null = null;

  constructor(
    private readonly outbox: OutboxStore,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** The current lane. Rejects with DomainError `database.unavailable`. */
  async now(): Promise<Lane> {
    const lane = await this.outbox.resolve(this.configured);
    this.movedTo = lane.chatId;
    return lane;
  }

  /** The lane in the configuration. */
  get configured(): Lane {
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
}
