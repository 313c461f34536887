import { Injectable } from '@nestjs/common';
import type { Query } from '../../database/database';
import { Carrier, type Room } from '../../outbox/carrier';
import { CardStore } from './card-store';
import { parseLane } from './lane';
import { SendBudget } from './send-budget';

/** Carrier over Telegram: the send budget of the bot, and its cards. */
@Injectable()
export class TelegramCarrier extends Carrier {
  constructor(
    private readonly budget: SendBudget,
    private readonly cards: CardStore,
  ) {
    super();
  }

  readRoom(query: Query): Promise<readonly Room[]> {
    return this.budget.readRoom(query);
  }

  takeSlot(query: Query, lane: string, shared: boolean): Promise<string> {
    return this.budget.takeSlot(query, parseLane(lane).chatId, shared);
  }

  cancelSlot(_lane: string, slot: string): Promise<void> {
    return this.budget.cancel(slot);
  }

  perMinute(lane: string): number {
    return this.budget.perMinute(parseLane(lane).chatId);
  }

  forgive(query: Query, approvalIds: readonly string[]): Promise<void> {
    return this.cards.forgive(query, approvalIds);
  }
}
