import { Injectable } from '@nestjs/common';
import { Database, PERSON_WAITS_MS, type Statement } from '../../database/database';
import { requeueTurns } from '../../outbox/outbox-work';
import type { WaitingCall } from '../../approvals/turns';
import { LANE_OF_CARD } from '../../outbox/shown';
import { formatLane, type ChatLane } from './lane';

/** Several calls of a session, and the message that summarises them. */
export interface Turn extends ChatLane {
  readonly id: string;
  readonly nonce: string;
  /** Null until Telegram's answer or a tap reveals it. */
  readonly messageId: string | null;
  /** Sends that did not certainly fail. */
  readonly sends: number;
  /** Digest of what the message certainly shows; null: unknown. */
  readonly shown: string | null;
}

/** A call of a turn, with the complete card that shows it. */
export interface CallOfTurn {
  readonly cardId: string;
  readonly approvalId: string;
  /** From 1; it stays when others are decided. */
  readonly number: number;
  readonly displayDigest: string;
  /** True if files before the card hold what the card cannot. */
  readonly hasFiles: boolean;
  /** True if the buttons of the summary decide about it. */
  readonly inTurn: boolean;
}

export type CardOfWaiting = WaitingCall & { readonly cardId: string | null };

/** Requests of one session that are looked at: more than can be pending without a flood. */
const MAX_WAITING = 200;

/** Parameters: a request of the session, chat, lane. */
const WAITING: Statement = {
  name: 'turn-waiting',
  text: `
  with asked as (select key_id, session_id from approvals where id = $1)
  select a.id, a.created_at as "createdAt", card.id as "cardId",
    case when card.id is not null then 'shown' when work.dead_at is null and work.last_error is null then 'due'
      else 'failing' end as card
  from asked join approvals a on a.key_id = asked.key_id and a.session_id = asked.session_id
    left join lateral (
      select id, turn_id from cards
      where approval_id = a.id and chat_id = $2 and message_id is not null and sent_at is not null and closed_at is null
        and (incomplete_digest is null or document_message_id is not null or pieces is not null)
      order by id desc limit 1
    ) as card on true
    left join outbox work on work.approval_id = a.id and work.lane = $3 and work.kind = 'card'
  where a.status = 'pending' and a.expires_at > now() and turn_id is null and (card.id is not null or work.id is not null)
  order by a.id limit ${MAX_WAITING}`,
};

/**
 * Parameters: cards in their order, first call, chat, topic, nonce, lane. Makes no turn if one of the cards is in another one by now,
 * or shows an outcome. The work on the new turn is under its first call, so that no two replicas send one summary.
 */
const MAKE: Statement = {
  name: 'turn-make',
  text: `
  with open as materialized (
    select id as card_id, place from cards join unnest($1::bigint[]) with ordinality as given (id, place) using (id)
    where turn_id is null and closed_at is null order by id for update of cards
  ), made as (
    insert into turns (approval_id, chat_id, thread_id, nonce, created_at)
    select $2, $3, $4, $5, now() where (select count(*) from open) = cardinality($1)
    returning id, approval_id, $6::text as lane, now() as due_at
  ), joined as (
    update cards set turn_id = made.id, turn_number = place, in_turn = true from open, made where cards.id = card_id
  )
  ${requeueTurns('made')}`,
};

const TURN = `turns.id, turns.chat_id as "chatId", turns.thread_id as "threadId", turns.nonce, turns.message_id as "messageId", turns.sends,
  turns.shown`;

/** Parameters: first call, chat. */
const OPEN: Statement = {
  name: 'turn-open',
  text: `
  select ${TURN} from turns where approval_id = $1 and chat_id = $2 and closed_at is null order by id desc limit 1`,
};

const CALLS: Statement = {
  name: 'turn-calls',
  withinMs: PERSON_WAITS_MS,
  text: `
  select id as "cardId", approval_id as "approvalId", turn_number as number, display_digest as "displayDigest",
    document_sha256 is not null as "hasFiles", in_turn as "inTurn"
  from cards where turn_id = $1 order by turn_number`,
};

/** A call to Telegram has ended by then, with its retries. */
const SENDING = `interval '30 s'`;

/**
 * Parameters: turn, its cards about which the buttons decide. The message does not certainly show it yet. Begins no send while
 * another one is under way: the work on a turn may be requeued meanwhile.
 */
const BEGIN: Statement = {
  name: 'turn-begin',
  text: `
  with begun as (
    update turns set sends = sends + case when message_id is null then 1 else 0 end, sending_at = now(), shown = null
    where id = $1 and (message_id is not null or sending_at is null or sending_at < now() - ${SENDING})
    returning id
  ), decidable as (
    update cards set in_turn = cards.id = any($2::bigint[]) from begun where turn_id = begun.id
  )
  select id from begun`,
};

/** Parameters: turn, whether the message was certainly not sent. */
const FAILED: Statement = {
  name: 'turn-failed',
  text: `
  update turns set sending_at = null, sends = sends - case when $2::boolean and message_id is null then 1 else 0 end
  where id = $1`,
};

/** Parameters: turn, message, digest of what it shows, whether there is nothing more to show. */
const SHOWS: Statement = {
  name: 'turn-shows',
  text: `
  update turns set message_id = coalesce(message_id, $2), sending_at = null, shown = $3, closed_at = case when $4::boolean then now() end
  where id = $1`,
};

const CLOSE: Statement = {
  name: 'turn-close',
  text: `
  with turn as (
    update turns set closed_at = now() where id = $1 returning id
  )
  update cards set in_turn = false from turn where turn_id = turn.id`,
};

const FIND_BY_NONCE: Statement = {
  name: 'turn-find-by-nonce',
  withinMs: PERSON_WAITS_MS,
  text: `select ${TURN} from turns where nonce = $1`,
};

const FIND_BY_MESSAGE: Statement = {
  name: 'turn-find-by-message',
  withinMs: PERSON_WAITS_MS,
  text: `select ${TURN} from turns where chat_id = $1 and message_id = $2`,
};

/** Parameters: turn, message. Of two copies, the one that was tapped is kept up to date. */
const ADOPT: Statement = {
  name: 'turn-adopt',
  withinMs: PERSON_WAITS_MS,
  text: `update turns set message_id = $2, shown = null, closed_at = null where id = $1`,
};

/** Parameters: turn. */
const REQUEUE: Statement = {
  name: 'turn-requeue',
  withinMs: PERSON_WAITS_MS,
  text: `
  with open as (
    select approval_id, ${LANE_OF_CARD} as lane, now() as due_at from turns where id = $1 and closed_at is null
  )
  ${requeueTurns('open', 'outcome')}`,
};

type TurnRow = Turn & Record<string, unknown>;

/** Stores which calls are one turn, and the message that summarises them. */
@Injectable()
export class TurnStore {
  constructor(private readonly database: Database) {}

  /** The pending requests of a request's session that are in no turn, and whether their cards are in the chat. */
  waiting(approvalId: string, lane: ChatLane): Promise<CardOfWaiting[]> {
    const values = [approvalId, lane.chatId, formatLane(lane)];
    return this.database.query<CardOfWaiting & Record<string, unknown>>(WAITING, values);
  }

  /** Makes a turn of these cards, or none if another replica made one of them. */
  async make(cardIds: readonly string[], firstId: string, lane: ChatLane, nonce: string): Promise<void> {
    const { chatId, threadId } = lane;
    await this.database.query(MAKE, [cardIds, firstId, chatId, threadId, nonce, formatLane(lane)]);
  }

  /** The turn that begins with the request, while there is something to show. */
  async open(firstId: string, chatId: string): Promise<Turn | null> {
    return (await this.database.query<TurnRow>(OPEN, [firstId, chatId]))[0] ?? null;
  }

  /** In the order of their numbers. */
  calls(turnId: string): Promise<CallOfTurn[]> {
    return this.database.query<CallOfTurn & Record<string, unknown>>(CALLS, [turnId]);
  }

  /**
   * Stores the calls about which the next version of the message decides, before it is sent or edited.
   *
   * @returns false if the message is being sent
   */
  async begin(turnId: string, cardIds: readonly string[]): Promise<boolean> {
    return (await this.database.query(BEGIN, [turnId, cardIds])).length > 0;
  }

  /** The call has failed. `isCertain`: the message was certainly not sent. */
  async failed(turnId: string, isCertain: boolean): Promise<void> {
    await this.database.query(FAILED, [turnId, isCertain]);
  }

  async shows(turnId: string, messageId: string, shown: string, isLast: boolean): Promise<void> {
    await this.database.query(SHOWS, [turnId, messageId, shown, isLast]);
  }

  /** Nothing of the turn will be shown any more. */
  async close(turnId: string): Promise<void> {
    await this.database.query(CLOSE, [turnId]);
  }

  async findByNonce(nonce: string): Promise<Turn | null> {
    return (await this.database.query<TurnRow>(FIND_BY_NONCE, [nonce]))[0] ?? null;
  }

  async findByMessage(chatId: string, messageId: string): Promise<Turn | null> {
    return (await this.database.query<TurnRow>(FIND_BY_MESSAGE, [chatId, messageId]))[0] ?? null;
  }

  /** The message was sent and its answer lost, or it was sent twice. */
  async adopt(turnId: string, messageId: string): Promise<void> {
    await this.database.query(ADOPT, [turnId, messageId]);
  }

  /** Enqueues an edit of the message. */
  async requeue(turnId: string): Promise<void> {
    await this.database.query(REQUEUE, [turnId]);
  }
}
