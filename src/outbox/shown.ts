/**
 * Conditions and values over `cards`, in which a channel records each of its attempts to show an approval. Nothing else
 * below the channels reads that table.
 */

/** Expression of the lane over the columns of a card. Only Telegram records cards. */
export const LANE_OF_CARD = `'telegram:' || chat_id || coalesce('/' || nullif(thread_id, 0), '')`;

/** The lane of the newest message that may show the approval with this id, if it is one of the lane's channel; else the lane. */
export const LANE_SHOWING = (id: string, lane: string): string => `coalesce((select newest.lane from (
        select ${LANE_OF_CARD} as lane from cards
        where approval_id = ${id} and (message_id is not null or sending_at is not null) order by cards.id desc limit 1) as newest
      where split_part(newest.lane, ':', 1) = split_part(${lane}, ':', 1)), ${lane})`;

/** Condition: a message of the lane shows the approval with this id. */
export const IS_SHOWN_IN = (id: string, lane: string): string => `exists (select from cards
      where approval_id = ${id} and message_id is not null and ${LANE_OF_CARD} = ${lane})`;

/** Condition: a message may show the approval with this id. Without one there is no outcome to edit. */
export const MAY_BE_SHOWN = (id: string): string => `exists (select from cards
      where approval_id = ${id} and (message_id is not null or sending_at is not null))`;

/** Digest of the newest card of the approval; while its document is missing, of what the card shows without it. */
export const SHOWN_DIGEST = (id: string): string => `(
    select case when sent_at is null then incomplete_digest else display_digest end from cards
    where approval_id = ${id} and message_id is not null order by cards.id desc limit 1)`;
