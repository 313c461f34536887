import { Injectable } from '@nestjs/common';
import { Database, PERSON_WAITS_MS, type Query, type Statement } from '../../database/database';
import { AGAIN, requeueTurns, URGENCY } from '../../outbox/outbox-work';
import { TURN_MS } from '../../approvals/turns';
import { LANE_OF_CARD } from '../../outbox/shown';
import { formatLane, NO_TOPIC, type ChatLane } from './lane';
import type { SentPieces } from '../../cards/card-body';
import type { ApprovalWork } from '../../outbox/outbox-store';

/** One attempt to show an approval to the operators. */
export interface Card extends ChatLane {
  readonly id: string;
  readonly approvalId: string;
  readonly nonce: string;
  /** Null until Telegram's answer or a tap reveals it. */
  readonly messageId: string | null;
  /** The last of the uploaded files, once all of them are in the chat; null if the card alone shows the action. */
  readonly document: AttachedDocument | null;
  /** Digest of the files that are in the chat. */
  readonly filesSha256: string | null;
  /** The text messages in place of a document, once all of them are in the chat. */
  readonly pieces: SentPieces | null;
  /** Digests of the complete card, and of the card before its document is uploaded; known before it is sent. */
  readonly displayDigest: string | null;
  readonly incompleteDigest: string | null;
  /** The messages that offer grants from it and still have buttons. */
  readonly offerMessageIds: readonly string[];
}

export interface AttachedDocument {
  readonly messageId: string;
  /** Digest of all files, lower-case hex. */
  readonly sha256: string;
}

/** One planned text message of the action. */
export interface CardPiece {
  readonly number: number;
  /** Digest of its text, lower-case hex. */
  readonly sha256: string;
  /** Null until Telegram's answer. */
  readonly messageId: string | null;
}

interface CardRow {
  id: string;
  approval_id: string;
  chat_id: string;
  thread_id: string;
  nonce: string;
  message_id: string | null;
  document_message_id: string | null;
  document_sha256: string | null;
  pieces: number | null;
  pieces_sha256: string | null;
  display_digest: string | null;
  incomplete_digest: string | null;
  offer_message_ids: string[] | null;
}

const CARD = `id, approval_id, chat_id, thread_id, nonce, message_id, document_message_id, document_sha256,
  pieces, pieces_sha256, display_digest, incomplete_digest, offer_message_ids`;

/**
 * Parameters: approval, chat, nonce for a new one, display digest, topic, number of pieces, their digest. A card whose
 * send has an unknown outcome is never reused, except one with this nonce: then the caller retries the same begin.
 */
const BEGIN: Statement = {
  name: 'card-begin',
  text: `
  with taken_up as (
    update cards set sending_at = now(), display_digest = $4, pieces = $6, pieces_sha256 = $7 where id = (
      select id from cards where approval_id = $1 and chat_id = $2
        and (message_id is not null or sending_at is null or nonce = $3) order by id desc limit 1)
    returning ${CARD}
  ), new as (
    insert into cards (approval_id, chat_id, thread_id, nonce, display_digest, pieces, pieces_sha256, created_at, sending_at)
    select $1, $2, $5, $3, $4, $6, $7, now(), now() where not exists (select 1 from taken_up) returning ${CARD}
  )
  select *, (select count(*)::int from cards where approval_id = $1 and chat_id = $2
    and message_id is null and sending_at is not null and nonce <> $3) as lost
  from (select * from taken_up union all select * from new) as card`,
};

const NOT_SENT: Statement = {
  name: 'card-not-sent',
  text: `update cards set sending_at = null where id = $1 and message_id is null`,
};

/**
 * Parameters: card, message of the last file or null, digest of the files so far. Clears `sending_at` of a card that is
 * not in the chat: the next file or the card itself is sent in the next step.
 */
const ATTACHED: Statement = {
  name: 'card-attached',
  text: `
  update cards set document_message_id = $2, document_sha256 = $3, documents_lost = 0,
    sending_at = case when message_id is null then null else sending_at end
  where id = $1`,
};

/** Parameters: approval, chat, digests of the texts. Keeps a piece that is in the chat and has the same text. */
const PLAN_PIECES: Statement = {
  name: 'card-plan-pieces',
  text: `
  with surplus as (
    delete from card_pieces where approval_id = $1 and chat_id = $2 and number > cardinality($3::text[])
  )
  insert into card_pieces as piece (approval_id, chat_id, number, sha256)
  select $1, $2, number, sha256 from unnest($3::text[]) with ordinality as planned (sha256, number)
  on conflict (approval_id, chat_id, number) do update
    set sha256 = excluded.sha256, sending_at = null, lost = 0, message_id = null
    where piece.sha256 <> excluded.sha256`,
};

const PIECES: Statement = {
  name: 'card-pieces',
  text: `
  select number, sha256, message_id as "messageId" from card_pieces where approval_id = $1 and chat_id = $2 order by number`,
};

/** Parameters: approval, chat, number. Returns the number of its sends with an unknown outcome. */
const BEGIN_PIECE: Statement = {
  name: 'card-begin-piece',
  text: `
  update card_pieces set sending_at = now(), lost = lost + case when sending_at is null then 0 else 1 end
  where approval_id = $1 and chat_id = $2 and number = $3 returning lost`,
};

const PIECE_NOT_SENT: Statement = {
  name: 'card-piece-not-sent',
  text: `
  update card_pieces set sending_at = null
  where approval_id = $1 and chat_id = $2 and number = $3 and message_id is null`,
};

const PIECE_SENT: Statement = {
  name: 'card-piece-sent',
  text: `update card_pieces set message_id = $4 where approval_id = $1 and chat_id = $2 and number = $3`,
};

/** The upload's outcome is unknown: it is retried, but not without end (telegram.md 6). */
const DOCUMENT_LOST: Statement = {
  name: 'card-document-lost',
  text: `update cards set documents_lost = documents_lost + 1 where id = $1 returning documents_lost`,
};

const INCOMPLETE: Statement = {
  name: 'card-incomplete',
  text: `update cards set incomplete_digest = $2 where id = $1`,
};

const SHOWS_OTHERWISE: Statement = {
  name: 'card-shows-otherwise',
  text: `update cards set display_digest = $2 where id = $1`,
};

/** The card is in the chat but not complete, so it has no Approve yet. */
const SHOWN: Statement = {
  name: 'card-shown',
  text: `update cards set message_id = $2 where id = $1`,
};

/** Condition on the row `approval`: its card must show more than it was sent with. People may have said something while it was sent. */
const CHANGED = `(status <> 'pending' or claim is not null or extension is not null
      or (required is not null and exists (select from decisions where approval_id = approval.id)))`;

const TURN = `interval '${TURN_MS} ms'`;

/** Requests of a key next to one that are searched for its siblings, on each side. */
const SIBLINGS_SEARCHED = 50;

/** Pending requests of the session of the row `approval`, asked so shortly before or after it that they may be one turn. */
const SIBLINGS = `
    select near.id from (
      (select * from approvals b where b.key_id = approval.key_id and b.id < approval.id order by b.id desc limit ${SIBLINGS_SEARCHED})
      union all
      (select * from approvals b where b.key_id = approval.key_id and b.id > approval.id order by b.id limit ${SIBLINGS_SEARCHED})
    ) as near
    where near.session_id = approval.session_id and near.status = 'pending'
      and near.created_at > approval.created_at - ${TURN} and near.created_at < approval.created_at + ${TURN}`;

/**
 * Parameters: card, message, work, lease token, warning lead in seconds. If the request has siblings, enqueues the work on
 * their turn, for the time when no more can join it: once for all, under the first of them.
 *
 * The share lock orders this against a settlement: either that sees the message id, or this sees the new status.
 */
const SENT: Statement = {
  name: 'card-sent',
  text: `
  with approval as (
    select a.id, a.status, a.required, a.claim, a.extension, a.created_at, a.expires_at, a.key_id, a.session_id from approvals a
    where a.id = (select approval_id from cards where id = $1) for share
  ), card as (
    update cards set message_id = $2, sent_at = now() where id = $1 returning ${LANE_OF_CARD} as lane
  ), done as (
    delete from outbox where id = $3 and lease_token = $4
  ), next as (
    insert into outbox (approval_id, kind, lane, urgency, created_at, available_at)
    select approval.id, 'outcome', lane, ${URGENCY.outcome}, now(), now() from approval, card
    where ${CHANGED}
    union all
    select approval.id, 'warning', lane, ${URGENCY.warning}, now(), expires_at - make_interval(secs => $5)
    from approval, card
    where status = 'pending' and $5 > 0 and expires_at - created_at >= make_interval(secs => 2 * $5)
    ${AGAIN}
  ), in_turn as (
    select least(approval.id, sibling.id) as approval_id, lane, greatest(now(), created_at + ${TURN}) as due_at
    from approval cross join card cross join lateral (${SIBLINGS} order by near.id limit 1) as sibling
    where status = 'pending'
  ), turn as (${requeueTurns('in_turn')}
  )
  select 1`,
};

const FIND_BY_NONCE: Statement = {
  name: 'card-find-by-nonce',
  withinMs: PERSON_WAITS_MS,
  text: `select ${CARD} from cards where nonce = $1`,
};

/**
 * Stores the message id from the first tap, for a send whose answer was lost. If the tap comes after the settlement,
 * this enqueues the outcome for the card. The share lock orders it against a settlement, as for {@link SENT}.
 */
const ADOPT: Statement = {
  name: 'card-adopt',
  withinMs: PERSON_WAITS_MS,
  text: `
  with approval as (
    select a.id, a.status, a.required, a.claim, a.extension from approvals a where a.id = (select approval_id from cards where id = $1) for share
  ), adopted as (
    update cards set message_id = $2, sent_at = now() where id = $1 and message_id is null
    returning ${LANE_OF_CARD} as lane
  )
  insert into outbox (approval_id, kind, lane, urgency, created_at, available_at)
  select approval.id, 'outcome', lane, ${URGENCY.outcome}, now(), now() from approval, adopted
  where ${CHANGED}
  ${AGAIN}`,
};

const DELIVERED: Statement = {
  name: 'card-delivered',
  text: `
  select ${CARD} from cards where approval_id = $1 and message_id is not null
    and not exists (select from chat_moves where from_chat_id = cards.chat_id)
  order by id`,
};

const toCard = (row: CardRow): Card => ({
  id: row.id,
  approvalId: row.approval_id,
  chatId: row.chat_id,
  threadId: row.thread_id,
  nonce: row.nonce,
  messageId: row.message_id,
  document:
    row.document_message_id === null || row.document_sha256 === null
      ? null
      : { messageId: row.document_message_id, sha256: row.document_sha256 },
  filesSha256: row.document_sha256,
  pieces:
    row.pieces === null || row.pieces_sha256 === null
      ? null
      : { count: row.pieces, sha256: row.pieces_sha256 },
  displayDigest: row.display_digest,
  incompleteDigest: row.incomplete_digest,
  offerMessageIds: row.offer_message_ids ?? [],
});

/**
 * Parameters: card, messages with offers that lost their buttons with it. The message shows the outcome, or no longer exists.
 * Requeues the summary of its turn, which shows it as well.
 */
const CLOSED: Statement = {
  name: 'card-closed',
  text: `
  with closed as (
    update cards set closed_at = now(),
      offer_message_ids = array(select id from unnest(offer_message_ids) as id where id <> all($2::bigint[]))
    where id = $1 returning turn_id
  ), open as (
    select turns.approval_id, ${LANE_OF_CARD} as lane, now() as due_at from closed join turns on turns.id = turn_id
    where sends > 0 and turns.closed_at is null
  )
  ${requeueTurns('open')}`,
};

/** Parameters: nonce, message. */
const OFFERED: Statement = {
  name: 'card-offered',
  withinMs: PERSON_WAITS_MS,
  text: `
  update cards set offer_message_ids = array_append(offer_message_ids, $2::bigint) where nonce = $1
  returning closed_at is not null as is_closed`,
};

/** Parameters: nonce, message. */
const TAKE_OFFERS: Statement = {
  name: 'card-take-offers',
  withinMs: PERSON_WAITS_MS,
  text: `update cards set offer_message_ids = array_remove(offer_message_ids, $2::bigint) where nonce = $1`,
};

const FIND_BY_MESSAGE: Statement = {
  name: 'card-find-by-message',
  withinMs: PERSON_WAITS_MS,
  text: `select ${CARD} from cards where chat_id = $1 and message_id = $2 order by id desc limit 1`,
};

/** Parameters: lane, chat. Pending requests without a chain, a card and work, for example made while Telegram was off. */
const ENQUEUE_MISSING_CARDS: Statement = {
  name: 'outbox-enqueue-missing-cards',
  text: `
  insert into outbox (approval_id, kind, lane, urgency, created_at, available_at)
  select a.id, 'card', $1, ${URGENCY.card}, now(), now() from approvals a
  where a.status = 'pending' and a.expires_at > now() and not exists (
    select 1 from cards c where c.approval_id = a.id and c.chat_id = $2 and c.message_id is not null)
    and not exists (select from outbox step where step.approval_id = a.id and step.kind = 'step')
  on conflict do nothing
  returning id`,
};

/** Parameters: lane, old chat, new chat. Pending requests with a chain, whose card was in the chat that moved and is not in the new one. */
const ENQUEUE_MOVED_CARDS: Statement = {
  name: 'outbox-enqueue-moved-cards',
  text: `
  insert into outbox (approval_id, kind, lane, urgency, created_at, available_at)
  select a.id, 'card', $1, ${URGENCY.card}, now(), now() from approvals a
  where a.status = 'pending' and a.expires_at > now()
    and exists (select from cards c where c.approval_id = a.id and c.chat_id = $2 and c.message_id is not null)
    and not exists (select from cards c where c.approval_id = a.id and c.chat_id = $3 and c.message_id is not null)
    and exists (select from outbox step where step.approval_id = a.id and step.kind = 'step')
  on conflict do nothing
  returning id`,
};

/** Cards that still show a pending request although the approval is settled. */
const ENQUEUE_MISSING_OUTCOMES: Statement = {
  name: 'outbox-enqueue-missing-outcomes',
  text: `
  insert into outbox (approval_id, kind, lane, urgency, created_at, available_at)
  select distinct on (a.id) a.id, 'outcome', ${LANE_OF_CARD}, ${URGENCY.outcome}, now(), now()
  from cards c join approvals a on a.id = c.approval_id
  where c.closed_at is null and c.message_id is not null and a.status <> 'pending'
  on conflict do nothing
  returning id`,
};

/** Parameters: approvals. Clears the records of sends with an unknown outcome. */
const FORGIVE: Statement = {
  name: 'card-forgive',
  text: `
  with pieces as (
    update card_pieces set lost = 0, sending_at = null where approval_id = any($1::uuid[]) and message_id is null
  )
  update cards set documents_lost = 0, sending_at = case when message_id is null then null else sending_at end
  where approval_id = any($1::uuid[])`,
};

/** Stores the message that shows each approval, and the nonce of its buttons. */
@Injectable()
export class CardStore {
  constructor(private readonly database: Database) {}

  /**
   * Stores nonce and digest before the send, so that a tap on a message with an unknown outcome is recognised and bound
   * to the shown text. Reuses a card that was certainly not sent, or was sent without its document. Idempotent for the
   * same nonce.
   *
   * @param pieces the messages with the whole action, all of them in the chat; null if there are none.
   *
   * @returns the card, and the number of its earlier sends with an unknown outcome.
   */
  async begin(
    approvalId: string,
    { chatId, threadId }: ChatLane,
    nonce: string,
    displayDigest: string,
    pieces: SentPieces | null = null,
  ): Promise<{ card: Card; lost: number }> {
    const values = [
      approvalId,
      chatId,
      nonce,
      displayDigest,
      threadId,
      pieces?.count ?? null,
      pieces?.sha256 ?? null,
    ];
    const [row] = await this.database.query<CardRow & { lost: number }>(BEGIN, values);
    if (!row) throw new Error('beginning a card returned no row');
    return { card: toCard(row), lost: row.lost };
  }

  /** The card was certainly not sent, so it may be reused. */
  async notSent(card: Card): Promise<void> {
    await this.database.query(NOT_SENT, [card.id]);
  }

  /** Records a further file in the chat. @param messageId null: more files follow */
  async attached(card: Card, messageId: string | null, filesSha256: string): Promise<void> {
    await this.database.query(ATTACHED, [card.id, messageId, filesSha256]);
  }

  /** Plans the action as text messages with these digests; pieces already in the chat are not sent again. */
  async planPieces(approvalId: string, chatId: string, sha256s: readonly string[]): Promise<void> {
    await this.database.query(PLAN_PIECES, [approvalId, chatId, sha256s]);
  }

  /** @returns the pieces planned for the chat, in order; empty if the action is not sent in pieces. */
  pieces(approvalId: string, chatId: string): Promise<CardPiece[]> {
    return this.database.query<CardPiece & Record<string, unknown>>(PIECES, [approvalId, chatId]);
  }

  /** Records that the piece is being sent. @returns the number of its earlier sends with an unknown outcome. */
  async beginPiece(approvalId: string, chatId: string, number: number): Promise<number> {
    const [row] = await this.database.query<{ lost: number }>(BEGIN_PIECE, [approvalId, chatId, number]);
    if (!row) throw new Error('beginning a piece returned no row');
    return row.lost;
  }

  /** The piece was certainly not sent. */
  async pieceNotSent(approvalId: string, chatId: string, number: number): Promise<void> {
    await this.database.query(PIECE_NOT_SENT, [approvalId, chatId, number]);
  }

  async pieceSent(approvalId: string, chatId: string, number: number, messageId: string): Promise<void> {
    await this.database.query(PIECE_SENT, [approvalId, chatId, number, messageId]);
  }

  /** @returns the number of uploads of the card's document with an unknown outcome. */
  async documentLost(card: Card): Promise<number> {
    const [row] = await this.database.query<{ documents_lost: number }>(DOCUMENT_LOST, [card.id]);
    return row?.documents_lost ?? 0;
  }

  /** Stores the digest of the incomplete card, before it is sent without its document. */
  async incomplete(card: Card, digest: string): Promise<void> {
    await this.database.query(INCOMPLETE, [card.id, digest]);
  }

  /** Stores a new digest, before the complete card is sent in another form than it was begun with. */
  async showsOtherwise(card: Card, digest: string): Promise<void> {
    await this.database.query(SHOWS_OTHERWISE, [card.id, digest]);
  }

  /** Records that the card is in the chat without Approve. */
  async shown(card: Card, messageId: string): Promise<void> {
    await this.database.query(SHOWN, [card.id, messageId]);
  }

  /** Records that the complete card is in the chat: ends the work and enqueues the following work. */
  async sent(card: Card, messageId: string, work: ApprovalWork, warningSeconds: number): Promise<void> {
    await this.database.query(SENT, [card.id, messageId, work.id, work.leaseToken, warningSeconds]);
  }

  async findByNonce(nonce: string): Promise<Card | null> {
    const [row] = await this.database.query<CardRow>(FIND_BY_NONCE, [nonce]);
    return row ? toCard(row) : null;
  }

  /** The card shows the outcome, and its messages with offers have no buttons any more. */
  async closed(card: Card): Promise<void> {
    await this.database.query(CLOSED, [card.id, card.offerMessageIds]);
  }

  /** Remembers a message that offers grants from the card. @returns false if the card shows the outcome already */
  async offered(nonce: string, messageId: string): Promise<boolean> {
    const [row] = await this.database.query<{ is_closed: boolean }>(OFFERED, [nonce, messageId]);
    return row?.is_closed === false;
  }

  /** Forgets a message with offers: the tap on it will show its own result there. */
  async takeOffers(nonce: string, messageId: string): Promise<void> {
    await this.database.query(TAKE_OFFERS, [nonce, messageId]);
  }

  async findByMessage(chatId: string, messageId: string): Promise<Card | null> {
    const [row] = await this.database.query<CardRow>(FIND_BY_MESSAGE, [chatId, messageId]);
    return row ? toCard(row) : null;
  }

  /** Enqueues the cards that are missing in the lane. @returns their number. */
  async enqueueMissing(lane: ChatLane): Promise<number> {
    const values = [formatLane(lane), lane.chatId];
    return (await this.database.query(ENQUEUE_MISSING_CARDS, values)).length;
  }

  /** Enqueues the cards of chains that were in a chat which moved. @returns their number. */
  async enqueueMoved(fromChatId: string, toChatId: string): Promise<number> {
    const values = [formatLane({ chatId: toChatId, threadId: NO_TOPIC }), fromChatId, toChatId];
    return (await this.database.query(ENQUEUE_MOVED_CARDS, values)).length;
  }

  /** @returns the number of enqueued edits. */
  async enqueueMissingOutcomes(): Promise<number> {
    return (await this.database.query(ENQUEUE_MISSING_OUTCOMES, [])).length;
  }

  /** Forgets sends with an unknown outcome. */
  async forgive(query: Query, approvalIds: readonly string[]): Promise<void> {
    await query(FORGIVE, [approvalIds]);
  }

  async adopt(card: Card, messageId: string): Promise<void> {
    await this.database.query(ADOPT, [card.id, messageId]);
  }

  /** Every message that shows the approval. */
  async delivered(approvalId: string): Promise<(Card & { readonly messageId: string })[]> {
    const rows = await this.database.query<CardRow & { message_id: string }>(DELIVERED, [approvalId]);
    return rows.map((row) => ({ ...toCard(row), messageId: row.message_id }));
  }
}
