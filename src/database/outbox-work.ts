/** What of the waiting Telegram work is done first (telegram.md 8): the smaller number; of equal ones, the oldest. */
export const URGENCY = {
  /** News for the whole chat, and a card that an operator asked for. */
  first: -1,
  card: 0,
  outcome: 1,
  warning: 2,
  /** The last line of an outcome: that the agent heard it. */
  acknowledgement: 2,
} as const;

/** Work that is being done right now is done once more: its lease token no longer fits. */
export const AGAIN = `on conflict (approval_id, kind)
    do update set available_at = excluded.available_at, lease_token = outbox.lease_token + 1, dead_at = null`;
