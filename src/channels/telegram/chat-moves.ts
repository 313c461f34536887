import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../../database/database';
import { movePlace } from '../../outbox/outbox-work';
import { formatLane, NO_TOPIC } from './lane';

/**
 * Parameters: old chat, new chat, and both as lanes. A group became a supergroup: moves its work to the new chat.
 * Messages of the old chat can no longer be edited.
 */
const FOLLOW: Statement = {
  name: 'chat-move',
  text: `
  with moved as (
    insert into chat_moves (from_chat_id, to_chat_id, moved_at)
    select $1::bigint, $2::bigint, now() where $1::bigint <> $2::bigint
    on conflict (from_chat_id) do nothing
  ), followed as (
    update chat_moves set to_chat_id = $2 where to_chat_id = $1
  ), closed as (
    update cards set closed_at = now() where chat_id = $1 and closed_at is null
  ), turns_closed as (
    update turns set closed_at = now() where chat_id = $1 and closed_at is null
  )
  ${movePlace({ from: '$3', to: '$4' })}`,
};

const MOVED_TO: Statement = {
  name: 'chat-moved-to',
  text: `select to_chat_id::text as "chatId" from chat_moves where from_chat_id = $1`,
};

const laneOf = (chatId: string): string => formatLane({ chatId, threadId: NO_TOPIC });

/** The groups that became supergroups, which have other ids. */
@Injectable()
export class ChatMoves {
  constructor(private readonly database: Database) {}

  /** @returns the new id of a chat that moved; null if no move is known. */
  async movedTo(chatId: string): Promise<string | null> {
    const [moved] = await this.database.query<{ chatId: string }>(MOVED_TO, [chatId]);
    return moved?.chatId ?? null;
  }

  /** Stores the move, and moves the work of the group and all its topics. */
  async follow(fromChatId: string, toChatId: string): Promise<void> {
    await this.database.query(FOLLOW, [fromChatId, toChatId, laneOf(fromChatId), laneOf(toChatId)]);
  }
}
