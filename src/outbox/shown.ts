/**
 * Conditions and values over `cards`, in which a channel records each of its attempts to show an approval. Nothing else
 * below the channels reads that table.
 */

/** Condition: a message may show the approval with this id. Without one there is no outcome to edit. */
export const MAY_BE_SHOWN = (id: string): string => `exists (select from cards
      where approval_id = ${id} and (message_id is not null or sending_at is not null))`;

/** Digest of the newest card of the approval; while its document is missing, of what the card shows without it. */
export const SHOWN_DIGEST = (id: string): string => `(
    select case when sent_at is null then incomplete_digest else display_digest end from cards
    where approval_id = ${id} and message_id is not null order by cards.id desc limit 1)`;
