import { IS_SHOWN_IN, LANE_OF_CARD, LANE_SHOWING, MAY_BE_SHOWN } from './shown';

/** Priority of due work (telegram.md 8): the smaller number first; among equal ones, the oldest. */
export const URGENCY = {
  /** Messages for a whole lane, and a card that an operator requested. */
  first: -1,
  card: 0,
  outcome: 1,
  warning: 2,
  /** The summary of a turn: it must delay no card. */
  summary: 2,
  /** The last line of an outcome: that the agent has the answer. */
  acknowledgement: 2,
  /** A message that failed while its channel answered: behind everything else, however many of them there are. */
  failing: 3,
} as const;

/** The lane of the steps of all chains. It has no channel: the runner of the steps takes them. */
export const STEPS_LANE = 'chain:';

/** Requeues the work; a run under way repeats, because its lease token is stale. */
export const AGAIN = `on conflict (approval_id, lane, kind)
    do update set available_at = excluded.available_at, urgency = least(outbox.urgency, excluded.urgency),
      lease_token = outbox.lease_token + 1, dead_at = null`;

/** Inputs of the statement parts below, which the statements of other folders are made of. */
interface Parts {
  /** Name of the list of approvals, with their `id`, or of another list for {@link announce}. */
  readonly of: string;
  /** Parameter with the lanes, a text array; empty: no work. */
  readonly lanes: string;
}

/** Enqueues the card of each approval without a chain in each lane, in the order of this column. */
export const enqueueCards = ({ of, lanes, order }: Parts & { readonly order: string }): string => `
    insert into outbox (approval_id, kind, lane, urgency, created_at, available_at)
    select id, 'card', lane, ${URGENCY.card}, now(), now() from ${of} cross join unnest(${lanes}::text[]) as lane
    where chain is null order by ${order}`;

/** Enqueues the first step of each approval with a chain: it is due now. */
export const enqueueChains = (of: string): string => `
    insert into outbox (approval_id, kind, lane, urgency, created_at, available_at, data)
    select id, 'step', '${STEPS_LANE}', ${URGENCY.card}, now(), now(), chain from ${of} where chain is not null`;

/**
 * Enqueues the card of an approval in a lane for each row of the list, with the columns `approval_id` and `lane`, unless a
 * message of the lane shows it. A card that was refused is tried again.
 */
export const showCards = (of: string): string => `
    insert into outbox (approval_id, kind, lane, urgency, created_at, available_at)
    select approval_id, 'card', lane, ${URGENCY.card}, now(), now() from ${of}
    where not ${IS_SHOWN_IN('wanted.approval_id', 'wanted.lane')}
    order by approval_id, lane
    on conflict (approval_id, lane, kind) do update set available_at = excluded.available_at, refused_at = null,
      dead_at = null, lease_token = outbox.lease_token + 1
      where outbox.dead_at is not null or outbox.refused_at is not null`;

/**
 * Enqueues or requeues the outcome of each approval in each lane, if a message may show the approval. A channel whose newest
 * message is in another lane takes it there.
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
    insert into outbox (approval_id, kind, lane, urgency, created_at, available_at)
    select id, 'outcome', ${LANE_SHOWING(`${of}.id`, 'place.lane')}, ${URGENCY[urgency]}, now(), now() + ${delay}
    from ${of} cross join unnest(${lanes}::text[]) as place (lane)
    where ${MAY_BE_SHOWN(`${of}.id`)}
    ${AGAIN}`;

/**
 * Enqueues news in each lane, once for each row of the list. They belong to no approval.
 *
 * @param news expression of the `News` as `jsonb`.
 */
export const announce = ({
  of,
  lanes,
  news,
  urgency = 'first',
}: Parts & { readonly news: string; readonly urgency?: 'first' | 'card' }): string => `
    insert into outbox (kind, lane, urgency, created_at, available_at, data)
    select 'notice', lane, ${URGENCY[urgency]}, now(), now(),
      (${news} || jsonb_build_object('atMs', (extract(epoch from now()) * 1000)::bigint))::text
    from ${of} cross join unnest(${lanes}::text[]) as lane`;

/**
 * Enqueues or requeues the work on turns for each row of the list, with the columns `approval_id`, `lane`, and `due_at`.
 *
 * @param urgency `outcome`: the summary shows what was decided from it
 */
export const requeueTurns = (of: string, urgency: 'summary' | 'outcome' = 'summary'): string => `
    insert into outbox (approval_id, kind, lane, urgency, created_at, available_at, data)
    select distinct on (approval_id, lane) approval_id, 'notice', lane, ${URGENCY[urgency]}, now(), due_at,
      json_build_object('turnsOf', approval_id)::text
    from ${of}
    ${AGAIN}`;

/**
 * Delays the next step of the chain of each approval of the list to its `paused_until`, and each step once. Delays no step that is
 * due, or that follows a refusal.
 */
export const delaySteps = (of: string): string => `
    update outbox set available_at = case when available_at > now() then paused_until else available_at end,
      data = (data::jsonb || jsonb_build_object('dueMs', floor(extract(epoch from paused_until) * 1000), 'delayed',
        data::jsonb -> 'at'))::text
    from ${of}
    where approval_id = ${of}.id and outbox.kind = 'step' and data::jsonb -> 'delayed' is distinct from data::jsonb -> 'at'
      and to_timestamp((data::jsonb ->> 'dueMs')::float8 / 1000) > now()
      and to_timestamp((data::jsonb ->> 'dueMs')::float8 / 1000) < paused_until`;

/** The lanes whose messages show an approval of the list, which has its `id`. */
const shownLanes = (of: string): string => `(select distinct ${of}.*, ${LANE_OF_CARD} as lane from ${of}
      join cards on cards.approval_id = ${of}.id where message_id is not null) as shown`;

/** Makes the reminder of each approval of the list due at its `due_at`, or earlier, in each lane that shows it. */
export const requeueReminders = (of: string): string => `
    insert into outbox (approval_id, kind, lane, urgency, created_at, available_at)
    select id, 'warning', lane, ${URGENCY.warning}, now(), due_at from ${shownLanes(of)}
    on conflict (approval_id, lane, kind) do update set
      available_at = least(outbox.available_at, excluded.available_at), lease_token = outbox.lease_token + 1, dead_at = null`;

/**
 * Makes the reminder of each approval of the list due before its `expires_at`, or at the end of its snooze (`snoozed_until`),
 * in each lane that shows it.
 *
 * @param lead parameter with the seconds before it; 0: there are no warnings
 */
export const rescheduleWarnings = (of: string, lead: string): string => `
    insert into outbox (approval_id, kind, lane, urgency, created_at, available_at)
    select id, 'warning', lane, ${URGENCY.warning}, now(),
      least(expires_at - make_interval(secs => ${lead}::float8), snoozed_until)
    from ${shownLanes(of)}
    where ${lead}::float8 > 0 and expires_at - created_at >= make_interval(secs => 2 * ${lead}::float8)
    ${AGAIN}`;

/** Deletes the cards and steps that were not begun, except those that a replica works on at this moment. */
export const withdrawCards = (of: string): string => `
    delete from outbox where id = any(array(
      select id from outbox where approval_id = any(array(select id from ${of})) and kind in ('card', 'step') and dead_at is null
      for update skip locked))`;

/** Moves all work of a place to another one without a wait. Messages of the old place can no longer be edited. */
export const movePlace = ({ from, to }: { readonly from: string; readonly to: string }): string => `
  update outbox set lane = ${to}::text || substr(lane, length(${from}::text) + 1), lease_token = lease_token + 1,
    last_error = null, dead_at = case when kind = 'card' then null else dead_at end,
    available_at = case when kind = 'warning' then available_at else now() end
  where lane = ${from} or starts_with(lane, ${from} || '/')`;
