import { Inject, Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONFIG, type Config } from '../../config/environment';
import { Database, type Query, type Statement } from '../../database/database';
import type { Room } from '../../outbox/carrier';
import { CHANNEL, formatLane, NO_TOPIC } from './lane';

/** Messages that one chat accepts at once; the rest follows at the chat's rate (telegram.md 8). */
const CHAT_BURST = 3;
/** Divisor of a chat's minute: half of it is reserved for outcomes, so that there is room for as many as cards. */
const OUTCOMES_SHARE = 2;
/** A call that has not ended after this time died with its replica; its slot then counts as used at that time. */
const SLOT_LIFE_SECONDS = 15;
/** Longest sleep before the next check, since a slot becomes free early if its call ends. */
const MAX_NAP_MS = 250;

/**
 * Lets one replica at a time read the budget and take from it. A replica that waited for this row lock sees the slots
 * of the one before in its next statement.
 */
const LOCK_BUDGET: Statement = {
  name: 'budget-lock',
  text: `select 1 from leases where name = 'send-budget' for update`,
};

/** Deletes slots that are outside of all windows. */
const FORGET_SLOTS: Statement = {
  name: 'budget-forget',
  text: `delete from send_slots where at < clock_timestamp() - interval '1 minute'`,
};

/**
 * Materialized, so that each part is computed once. Inlined, the planner would repeat it for every waiting row, and a
 * claim from a backlog of a thousand would take most of a second.
 *
 * $1 calls in any second, $2 calls a second in a chat with bursts of 3, $3 calls in any minute in a group.
 * `share_free_at`: the time at which the chat has room for a message that is not an outcome. Without that share, a
 * burst of cards would use up the minute in which they are decided, and decided cards would keep their buttons.
 */
const FREE_AT = `
  clock as materialized (select clock_timestamp() as t),
  overall as materialized (
    select (select at from send_slots order by at desc offset $1::int - 1 limit 1) + interval '1 second' as free_at),
  chats as materialized (
    select chat_id, greatest(
      (array_agg(at order by at desc))[${CHAT_BURST}] + make_interval(secs => ${CHAT_BURST}.0 / $2::float8),
      case when chat_id < 0 then (array_agg(at order by at desc))[$3::int] + interval '1 minute' end) as free_at,
      (array_agg(at order by at desc) filter (where shared))[greatest(1, case when chat_id < 0
        then least($3::int, 60 * $2::int) else 60 * $2::int end / ${OUTCOMES_SHARE})] + interval '1 minute' as share_free_at
    from send_slots group by chat_id)`;

/** A slot is in the future while its call runs, so it certainly covers the time at which Telegram counts the call. */
const SLOT_END = `interval '${SLOT_LIFE_SECONDS} seconds'`;

const TAKE: Statement = {
  name: 'budget-take',
  text: `
  with ${FREE_AT}, free as (
    select greatest(overall.free_at, chats.free_at) as at
    from overall left join chats on chat_id = $4::bigint
  ), slot as (
    insert into send_slots (chat_id, at) select $4::bigint, t + ${SLOT_END} from free, clock
    where free.at is null or free.at <= t returning id
  )
  select (select id from slot) as id, extract(epoch from free.at - t)::float8 * 1000 as wait_ms from free, clock`,
};

/** $1 to $3 as above. At least one row, without a chat if all chats are free. A `retry_after` counts as used room. */
const ROOM: Statement = {
  name: 'budget-room',
  text: `
  with ${FREE_AT}, held as (select chat_id, available_at from lanes, clock where available_at > t)
  select overall.free_at::text as overall, chat_id, greatest(chats.free_at, held.available_at)::text as free_at,
    share_free_at::text
  from overall left join (chats full join held using (chat_id)) on true`,
};

/** Parameters: chat, whether the message must leave room for outcomes. The room was read before. */
const TAKE_READ: Statement = {
  name: 'budget-take-read',
  text: `
  insert into send_slots (chat_id, at, shared) values ($1, clock_timestamp() + ${SLOT_END}, $2) returning id`,
};

const RETURN: Statement = {
  name: 'budget-return',
  text: `update send_slots set at = clock_timestamp() where id = $1`,
};

/** Keeps a returned slot, which is in the past. */
const CANCEL: Statement = {
  name: 'budget-cancel',
  text: `delete from send_slots where id = $1 and at > clock_timestamp()`,
};

/** $1: chat, $2: seconds. */
const HOLD: Statement = {
  name: 'budget-hold',
  text: `
  insert into lanes (chat_id, available_at) values ($1, now() + make_interval(secs => $2))
  on conflict (chat_id) do update set available_at = greatest(lanes.available_at, excluded.available_at)`,
};

/** $1 to $3 as above, $4: chat. Running calls of all replicas count. */
const LEFT: Statement = {
  name: 'budget-left',
  text: `
  with clock as materialized (select clock_timestamp() as t)
  select
    greatest(0, $1::int - count(*) filter (where at > t - interval '1 second'))::int as "perSecond",
    greatest(0, ${CHAT_BURST} - count(*) filter (where chat_id = $4::bigint
      and at > t - make_interval(secs => ${CHAT_BURST}.0 / $2::float8)))::int as chat,
    case when $4::bigint < 0 then greatest(0, $3::int - count(*) filter (where chat_id = $4::bigint
      and at > t - interval '1 minute'))::int end as "groupPerMinute"
  from clock left join send_slots on true`,
};

/** Calls that the bot may still make in the current windows, over all replicas. */
export interface BudgetLeft {
  /** In the current second. */
  readonly perSecond: number;
  /** In the chat at once. */
  readonly chat: number;
  /** In the chat in the current minute; null if it is not a group. */
  readonly groupPerMinute: number | null;
}

/**
 * Send budget of the bot, shared by all replicas through the database: sliding windows over the calls of the last
 * minute. Telegram counts a call on arrival, which is between the taking and the return of its slot. A window opens
 * only after the return, so the service never exceeds Telegram's own windows, even on a slow network.
 */
@Injectable()
export class SendBudget {
  readonly limits: readonly [number, number, number];
  /** Messages to a chat in a minute: more unsent cards than this make a digest. */
  readonly groupMinute: number;
  readonly privateMinute: number;

  constructor(
    private readonly database: Database,
    @Inject(CONFIG) config: Config,
  ) {
    const { perSecond, chatPerSecond, groupPerMinute } = config.escalation.budget;
    this.limits = [perSecond, chatPerSecond, groupPerMinute];
    this.privateMinute = 60 * chatPerSecond;
    this.groupMinute = Math.min(groupPerMinute, this.privateMinute);
  }

  /** Reads the room of all chats, and locks it until the transaction ends. */
  async readRoom(query: Query): Promise<readonly Room[]> {
    await query(LOCK_BUDGET, []);
    await query(FORGET_SLOTS, []);
    const rows = await query<{
      overall: string | null;
      chat_id: string | null;
      free_at: string | null;
      share_free_at: string | null;
    }>(ROOM, this.limits);
    const places = rows.flatMap(({ chat_id: chatId, free_at: freeAt, share_free_at: shareFreeAt }) =>
      chatId === null ? [] : [{ place: formatLane({ chatId, threadId: NO_TOPIC }), freeAt, shareFreeAt }],
    );
    return [{ place: CHANNEL, freeAt: rows[0]?.overall ?? null, shareFreeAt: null }, ...places];
  }

  /** Takes room for one call after {@link readRoom}. @returns the slot. */
  async takeSlot(query: Query, chatId: string, shared: boolean): Promise<string> {
    const [slot] = await query<{ id: string }>(TAKE_READ, [chatId, shared]);
    if (!slot) throw new Error('taking a slot returned no row');
    return slot.id;
  }

  /** Messages to the chat in a minute. */
  perMinute(chatId: string): number {
    return chatId.startsWith('-') ? this.groupMinute : this.privateMinute;
  }

  async left(chatId: string): Promise<BudgetLeft> {
    const [left] = await this.database.query<BudgetLeft>(LEFT, [...this.limits, chatId]);
    return left ?? { perSecond: 0, chat: 0, groupPerMinute: null };
  }

  /** Waits for room for one call. @returns the slot; release it when the call has ended. */
  async acquire(chatId: string, signal: AbortSignal): Promise<string> {
    for (;;) {
      signal.throwIfAborted();
      const { id, waitMs } = await this.tryAcquire(chatId);
      if (id !== null) return id;
      await sleep(Math.min(MAX_NAP_MS, Math.max(1, waitMs)), undefined, { signal });
    }
  }

  private tryAcquire(chatId: string): Promise<{ id: string | null; waitMs: number }> {
    return this.database.transaction(async (query) => {
      await query(LOCK_BUDGET, []);
      await query(FORGET_SLOTS, []);
      const [row] = await query<{ id: string | null; wait_ms: number | null }>(TAKE, [
        ...this.limits,
        chatId,
      ]);
      return { id: row?.id ?? null, waitMs: row?.wait_ms ?? MAX_NAP_MS };
    });
  }

  /** Returns the slot after the call has ended, successfully or not; its window begins now. */
  async release(slot: string): Promise<void> {
    await this.database.query(RETURN, [slot]);
  }

  /** Holds the chat after a `retry_after`: until then no replica sends to it (telegram.md 5). */
  async hold(chatId: string, ms: number): Promise<void> {
    await this.database.query(HOLD, [chatId, ms / 1000]);
  }

  /** Deletes a slot for which no call was made; a slot that was returned already still counts. */
  async cancel(slot: string): Promise<void> {
    await this.database.query(CANCEL, [slot]);
  }
}
