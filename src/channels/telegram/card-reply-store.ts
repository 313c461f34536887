import { Injectable } from '@nestjs/common';
import { parseColumnText, toColumnText } from '../../database/column-text';
import { Database, PERSON_WAITS_MS, type Statement } from '../../database/database';
import type { Card } from './card-store';

/** Parameters: nonce, card, user, words. Keeps them only while the request can be decided. */
const KEEP: Statement = {
  name: 'card-reply-keep',
  withinMs: PERSON_WAITS_MS,
  text: `
  insert into card_replies (nonce, approval_id, card_id, user_id, words, created_at)
  select $1, a.id, c.id, $3, $4, now() from cards c join approvals a on a.id = c.approval_id
  where c.id = $2 and a.status = 'pending' and a.expires_at > now()
  returning nonce`,
};

/** Parameters: nonce. */
const FIND: Statement = {
  name: 'card-reply-find',
  withinMs: PERSON_WAITS_MS,
  text: `
  select cards.nonce as "cardNonce", user_id as "userId", words
  from card_replies reply join cards on cards.id = reply.card_id where reply.nonce = $1`,
};

/** Words that an operator wrote in reply to a card. */
export interface CardReply {
  readonly cardNonce: string;
  /** The writer, who alone may send them. */
  readonly userId: string;
  readonly words: string;
}

/** Replies to pending cards. They stay as long as the approval: that can be decided once, so they are used once. */
@Injectable()
export class CardReplyStore {
  constructor(private readonly database: Database) {}

  /** @returns false if the request is decided or past its time. */
  async keep(nonce: string, card: Card, userId: string, words: string): Promise<boolean> {
    return (await this.database.query(KEEP, [nonce, card.id, userId, toColumnText(words)])).length > 0;
  }

  async find(nonce: string): Promise<CardReply | null> {
    const [row] = await this.database.query<CardReply & Record<string, unknown>>(FIND, [nonce]);
    return row ? { ...row, words: parseColumnText(row.words) } : null;
  }
}
