/** Priority of due Telegram work (telegram.md 8): the smaller number first; among equal ones, the oldest. */
export const URGENCY = {
  /** Messages for the whole chat, and a card that an operator requested. */
  first: -1,
  card: 0,
  outcome: 1,
  warning: 2,
  /** The last line of an outcome: that the agent has the answer. */
  acknowledgement: 2,
  /** A message that failed while Telegram answered: behind everything else, however many of them there are. */
  failing: 3,
} as const;

/** Requeues the work; a run under way repeats, because its lease token is stale. */
export const AGAIN = `on conflict (approval_id, kind)
    do update set available_at = excluded.available_at, urgency = least(outbox.urgency, excluded.urgency),
      lease_token = outbox.lease_token + 1, dead_at = null`;

/** A chat, or one topic of a forum. Its messages arrive in order, and its failures delay no other lane. */
export interface Lane {
  readonly chatId: string;
  /** Id of the topic; {@link NO_TOPIC} for the chat itself, which in a forum is its General topic. */
  readonly threadId: string;
}

export const NO_TOPIC = '0';

/** Key of a lane for statements: `-100123/17`. */
export const laneKey = ({ chatId, threadId }: Lane): string => `${chatId}/${threadId}`;

/**
 * Expression for the chat of a parameter that holds a {@link laneKey}, whose topic may be missing. Follows a group that
 * was upgraded to a supergroup.
 */
export const CHAT_OF = (lane: string) => `coalesce(
    (select to_chat_id from chat_moves where from_chat_id = split_part(${lane}, '/', 1)::bigint),
    split_part(${lane}, '/', 1)::bigint)`;

export const THREAD_OF = (lane: string) =>
  `coalesce(nullif(split_part(${lane}, '/', 2), ''), '${NO_TOPIC}')::bigint`;

/** Values for the columns chat_id and thread_id. */
export const LANE_OF = (lane: string) => `${CHAT_OF(lane)}, ${THREAD_OF(lane)}`;

/** Condition: a message may show the approval with this id. Without one there is no outcome to edit. */
const MAY_BE_SHOWN = (id: string) => `exists (select from cards
      where approval_id = ${id} and (message_id is not null or sending_at is not null))`;

/** A lane in text form names its channel first, as in `telegram:-100123/17`. */
const WITHOUT_CHANNEL = (lane: string) => `split_part(${lane}, ':', 2)`;

/** Inputs of the statement parts below, which the statements of other folders are made of. */
interface Parts {
  /** Name of the list of approvals, with their `id`. */
  readonly of: string;
  /** Parameter with the lanes, a text array; empty: no work. */
  readonly lanes: string;
}

/** Enqueues the card of each approval in each lane, in the order of this column. */
export const enqueueCards = ({ of, lanes, order }: Parts & { readonly order: string }): string => `
    insert into outbox (approval_id, kind, chat_id, thread_id, urgency, created_at, available_at)
    select id, 'card', ${LANE_OF(WITHOUT_CHANNEL('lane'))}, ${URGENCY.card}, now(), now()
    from ${of} cross join unnest(${lanes}::text[]) as lane
    order by ${order}`;

/**
 * Enqueues or requeues the outcome of each approval in each lane, if a message may show the approval.
 *
 * @param urgency of the change that a message shows next.
 *
 * @param delay interval before the work is due.
 */
export const requeueOutcomes = ({
  of,
  lanes,
  urgency,
  delay = `interval '0'`,
}: Parts & { readonly urgency: 'outcome' | 'acknowledgement'; readonly delay?: string }): string => `
    insert into outbox (approval_id, kind, chat_id, thread_id, urgency, created_at, available_at)
    select id, 'outcome', ${LANE_OF(WITHOUT_CHANNEL('lane'))}, ${URGENCY[urgency]}, now(), now() + ${delay}
    from ${of} cross join unnest(${lanes}::text[]) as lane
    where ${MAY_BE_SHOWN(`${of}.id`)}
    ${AGAIN}`;

/** Deletes the cards of the approvals that were not sent, except those that a replica is sending at this moment. */
export const withdrawCards = (of: string): string => `
    delete from outbox where id = any(array(
      select id from outbox where approval_id = any(array(select id from ${of})) and kind = 'card' and dead_at is null
      for update skip locked))`;
