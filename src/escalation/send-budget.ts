import { Inject, Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONFIG, type Config } from '../config/environment';
import { Database, type Statement } from '../database/database';

/** What one chat takes at once; the rest follows at the chat's rate (telegram.md 8). */
const CHAT_BURST = 3;
/** Everything that is no outcome leaves this part of a chat's minute free for outcomes: as many as cards. */
const OUTCOMES_SHARE = 2;
/** A call that has not ended after this has died with its replica, and its slot counts from then on. */
const SLOT_LIFE_SECONDS = 15;
/** Never sleep longer before looking again: a slot is given free early when its call ends. */
const MAX_NAP_MS = 250;

/**
 * One replica at a time looks at the budget and takes from it: whoever waits for this row sees, in its next
 * statement, what the one before has taken.
 */
export const LOCK_BUDGET: Statement = {
  name: 'budget-lock',
  text: `select 1 from leases where name = 'send-budget' for update`,
};

/** Older slots are in no window any more. */
export const FORGET_SLOTS: Statement = {
  name: 'budget-forget',
  text: `delete from send_slots where at < clock_timestamp() - interval '1 minute'`,
};

/**
 * Each is computed once: inlined, the planner does it again for every row that waits, and a claim from a backlog of
 * a thousand takes most of a second.
 *
 * $1 calls in any second, $2 calls a second in a chat with bursts of 3, $3 calls in any minute in a group. `share_free_at`:
 * when the chat has room for what is no outcome. Without that share, a burst of cards would use up the minute in which
 * they are decided, and decided cards would keep their buttons.
 */
export const FREE_AT = `
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

/** A slot lies in the future while its call runs: so it surely covers the moment at which Telegram counts it. */
export const SLOT_END = `interval '${SLOT_LIFE_SECONDS} seconds'`;

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

const RETURN: Statement = {
  name: 'budget-return',
  text: `update send_slots set at = clock_timestamp() where id = $1`,
};

/** Once returned, a slot lies in the past and stays. */
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

/** $1 to $3 as above, $4: chat. Calls under way count, wherever they run. */
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

/** How many calls the bot may still make in the windows that run now, over all replicas. */
export interface BudgetLeft {
  /** In the running second. */
  readonly perSecond: number;
  /** In the chat at once. */
  readonly chat: number;
  /** In the chat in the running minute; null when it is no group. */
  readonly groupPerMinute: number | null;
}

/**
 * What the bot may send, shared by all replicas through the database: sliding windows over the calls of the last
 * minute. Telegram counts a call when it arrives, which lies between our taking and returning of its slot; since
 * a window opens only after the returns, Telegram's own windows are never exceeded, however slow the network is.
 */
@Injectable()
export class SendBudget {
  readonly limits: readonly [number, number, number];
  /** What a chat is sent in a minute: more unsent cards than this make a digest. */
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

  async left(chatId: string): Promise<BudgetLeft> {
    const [left] = await this.database.query<BudgetLeft>(LEFT, [...this.limits, chatId]);
    return left ?? { perSecond: 0, chat: 0, groupPerMinute: null };
  }

  /** Waits for room for one call. @returns the slot, to be given back when the call has ended. */
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

  /** The call has ended, one way or another: from here its window runs. */
  async release(slot: string): Promise<void> {
    await this.database.query(RETURN, [slot]);
  }

  /** Telegram told this chat to wait: until then no replica begins anything for it (telegram.md 5). */
  async hold(chatId: string, ms: number): Promise<void> {
    await this.database.query(HOLD, [chatId, ms / 1000]);
  }

  /** Gives a slot back for which no call was made; one that was returned already stays counted. */
  async cancel(slot: string): Promise<void> {
    await this.database.query(CANCEL, [slot]);
  }
}
