import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, telegramOf, type Config } from '../config/environment';
import type { Lane } from '../database/outbox-work';
import { OutboxStore } from './outbox-store';

/** The lane where operators are told: the configured one, or the chat that its group became. */
@Injectable()
export class Destination {
  /** The chat that the configured one became, as far as this replica knows. */
  private movedTo: string | null = null;

  constructor(
    private readonly outbox: OutboxStore,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Rejects with DomainError `database.unavailable`. */
  async now(): Promise<Lane> {
    const lane = await this.outbox.resolve(this.configured);
    this.movedTo = lane.chatId;
    return lane;
  }

  /** Lane as it is configured. */
  get configured(): Lane {
    const { chatId, threadId } = telegramOf(this.config);
    return { chatId, threadId };
  }

  /** As {@link isIn}, also after another replica followed the chat: an unknown one is looked up. */
  async includes(chatId: string): Promise<boolean> {
    return this.isIn(chatId) || (await this.now()).chatId === chatId;
  }

  /**
   * True if operators are told in this chat, as far as this replica knows; in others stand cards of earlier
   * configurations.
   */
  isIn(chatId: string): boolean {
    return chatId === this.configured.chatId || chatId === this.movedTo;
  }
}
