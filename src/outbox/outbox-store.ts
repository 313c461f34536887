import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../config/environment';
import { Database, type Statement } from '../database/database';
import { CHAT_OF, LANE_OF, laneKey, NO_TOPIC, THREAD_OF, URGENCY, type Lane } from './outbox-work';
import { FORGET_SLOTS, FREE_AT, LOCK_BUDGET, SendBudget, SLOT_END } from './send-budget';

/** A leased piece of work; `leaseToken` proves at its end that the lease is still held. */
interface Leased extends Lane {
  readonly id: string;
  readonly leaseToken: string;
  /** Leases taken so far, this one included. */
  readonly attempts: number;
  /** True if this work or its lane has failed and neither has succeeded since. */
  readonly failedBefore: boolean;
  /** Room in the send budget for one call. */
  readonly slot: string;
}

/** Work for one approval: its card, its outcome, or the warning before its expiry. */
export interface ApprovalWork extends Leased {
  readonly kind: 'card' | 'outcome' | 'warning';
  readonly approvalId: string;
}

/** Period in which taps may have been lost, in milliseconds since 1970. */
export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Work for a whole chat: the digest of unsent cards, or the notice about lost taps. */
export type ChatWork = Leased &
  (
    | { readonly kind: 'digest'; readonly data: { readonly unsent: number } }
    | { readonly kind: 'notice'; readonly data: Gap }
  );

export type Work = ApprovalWork | ChatWork;

/**
 * Work, or the milliseconds until there may be some; null: nothing waits. `waiting`: the keys of the lanes whose work
 * waits for room in the budget, or for the end of a pause. `full`: these, and the lanes of which only cards wait.
 */
export type Claim =
  | { readonly work: Work }
  | {
      readonly work: null;
      readonly waitMs: number | null;
      readonly waiting: readonly string[];
      readonly full: readonly string[];
    };

export interface LanePause {
  /** Failures in a row; 1: the lane worked until now. */
  readonly failures: number;
  readonly pauseMs: number;
}

interface WorkRow {
  id: string | null;
  kind: Work['kind'];
  approval_id: string | null;
  chat_id: string;
  thread_id: string;
  lease_token: string;
  attempts: number;
  failed_before: boolean;
  data: string | null;
  slot_id: string;
  wait_ms: number | null;
  waiting: readonly string[] | null;
  full: readonly string[] | null;
}

/** Ranges of urgency; `shared` is true for those that must leave room for outcomes. */
const TIERS = `(values (-32768, ${URGENCY.first}, false), (${URGENCY.card}, ${URGENCY.card}, true),
      (${URGENCY.outcome}, ${URGENCY.outcome}, false), (${URGENCY.warning}, 32767, true)) as tiers (least, most, shared)`;

/**
 * $4: lease in seconds, $5: lanes to exclude. Claims the most urgent, then the oldest work of a lane that is not paused
 * and has room in the budget, and takes that room. It finds the lanes, and in each the next work of every tier, by
 * steps through the index, so a claim reads a few rows even from a long backlog. (With `exists`, PostgreSQL would join
 * with the whole backlog.)
 */
export const CLAIM: Statement = {
  name: 'outbox-claim',
  text: `
  with recursive ${FREE_AT}, waiting as (
    (select chat_id, thread_id from outbox where dead_at is null order by chat_id, thread_id limit 1)
    union all
    select next_lane.* from waiting cross join lateral (
      select chat_id, thread_id from outbox
      where dead_at is null and (chat_id, thread_id) > (waiting.chat_id, waiting.thread_id)
      order by chat_id, thread_id limit 1
    ) as next_lane
  ), open as materialized (
    select chat_id, thread_id, share_free_at,
      greatest(overall.free_at, chats.free_at, lanes.available_at, lane_states.available_at) as room_at
    from waiting left join chats using (chat_id) left join lanes using (chat_id)
      left join lane_states using (chat_id, thread_id) cross join overall
    where chat_id || '/' || thread_id <> all ($5::text[])
  ), ready as materialized (
    select chat_id, thread_id, least, most, shared, room_at,
      case when shared then greatest(room_at, share_free_at) else room_at end as free_at
    from open cross join ${TIERS}
    where (select id from outbox as due
      where due.chat_id = open.chat_id and due.thread_id = open.thread_id and due.urgency between least and most
        and due.dead_at is null and due.available_at <= now() limit 1) is not null
  ), next as (
    select first.id from ready cross join clock cross join lateral (
      select id, urgency from outbox
      where chat_id = ready.chat_id and thread_id = ready.thread_id and urgency between least and most
        and dead_at is null and available_at <= now()
      order by urgency, id limit 1 for update skip locked
    ) as first
    where ready.free_at is null or ready.free_at <= t
    order by first.urgency, first.id limit 1
  ), taken as (
    update outbox set available_at = now() + make_interval(secs => $4::float8), lease_token = lease_token + 1,
      attempts = attempts + 1
    where id in (select id from next)
    returning id, kind, approval_id, chat_id, thread_id, lease_token, attempts, data, urgency
  ), slot as (
    insert into send_slots (chat_id, at, shared)
    select chat_id, t + ${SLOT_END}, urgency <> ${URGENCY.outcome} from taken, clock returning id
  )
  select taken.id, kind, approval_id, chat_id, thread_id, lease_token, attempts, data, urgency, slot.id as slot_id, attempts > 1 or coalesce(failures, 0) > 0 as failed_before,
    null::float8 as wait_ms, null::text[] as waiting, null::text[] as "full"
  from taken cross join slot left join lane_states using (chat_id, thread_id)
  union all
  select null, null, null, null, null, null, null, null, null, null, null,
    (select case when count(free_at) > 0 then greatest(0, extract(epoch from min(free_at) - min(t))::float8 * 1000) end
    from ready, clock),
    (select array_agg(distinct chat_id || '/' || thread_id) from ready, clock where room_at > t),
    (select array_agg(distinct chat_id || '/' || thread_id) from ready, clock where free_at > t and least <= ${URGENCY.card})
  where not exists (select 1 from taken)`,
};

/**
 * $1: chat, $2: topic, $3: one minute of the chat's budget. Enqueues one digest for a backlog; the next one only after
 * that backlog was sent. Meanwhile it does not count the backlog with every message, but only checks if any is left.
 */
const DIGEST: Statement = {
  name: 'outbox-digest',
  text: `
  with backlog as (
    select count(*)::int as unsent from (
      select from outbox
      where chat_id = $1 and thread_id = $2 and kind = 'card' and dead_at is null and available_at <= now()
      limit (select 1 from lane_states where chat_id = $1 and thread_id = $2 and digest_at is not null)) as cards
  ), over as (
    update lane_states set digest_at = null from backlog
    where chat_id = $1 and thread_id = $2 and digest_at is not null and unsent = 0
  ), begun as (
    insert into lane_states (chat_id, thread_id, available_at, digest_at)
    select $1, $2, now(), now() from backlog where unsent > $3
    on conflict (chat_id, thread_id) do update set digest_at = now() where lane_states.digest_at is null
    returning chat_id, thread_id
  )
  insert into outbox (kind, chat_id, thread_id, urgency, created_at, available_at, data)
  select 'digest', chat_id, thread_id, ${URGENCY.first}, now(), now(), json_build_object('unsent', unsent)::text
  from begun, backlog`,
};

const FINISH: Statement = {
  name: 'outbox-finish',
  text: `delete from outbox where id = $1 and lease_token = $2`,
};

/** $1: ids, $2: lease tokens, $3: lease in seconds. */
const RENEW: Statement = {
  name: 'outbox-renew',
  text: `
  update outbox set available_at = now() + make_interval(secs => $3::float8)
  from unnest($1::bigint[], $2::bigint[]) as held (held_id, held_token)
  where id = held_id and lease_token = held_token`,
};

/** Parameters: id, lease token, wait in seconds, error. Invalidates a concurrent renewal. */
const POSTPONE: Statement = {
  name: 'outbox-postpone',
  text: `
  update outbox set available_at = now() + make_interval(secs => $3::float8), lease_token = lease_token + 1,
    last_error = coalesce($4, last_error)
  where id = $1 and lease_token = $2`,
};

/** Parameters: id, lease token. */
const DEMOTE: Statement = {
  name: 'outbox-demote',
  text: `update outbox set urgency = ${URGENCY.failing} where id = $1 and lease_token = $2`,
};

/** Parameters: id, lease token. A step is done; the next one may follow at once, as its first attempt. */
const GO_ON: Statement = {
  name: 'outbox-go-on',
  text: `
  update outbox set available_at = now(), lease_token = lease_token + 1, attempts = 0, last_error = null
  where id = $1 and lease_token = $2`,
};

const BURY: Statement = {
  name: 'outbox-bury',
  text: `update outbox set dead_at = now(), last_error = $3 where id = $1 and lease_token = $2`,
};

/**
 * A refused message is retried one second after its lane's pause, so that another message tests the lane first.
 * Together they stay within the 15 s after which a refused chat must be retried (telegram.md 1).
 */
const MAX_LANE_PAUSE_SECONDS = 14;

/**
 * $1: chat, $2: topic, $3: given wait in seconds or null: then 1 s, 2 s, 4 s … The whole lane waits. Concurrent
 * failures have one cause and count once.
 */
const PAUSE_LANE: Statement = {
  name: 'lane-pause',
  text: `
  insert into lane_states as lane (chat_id, thread_id, failures, available_at)
  values ($1, $2, 1, now() + make_interval(secs => coalesce($3::float8, 1)))
  on conflict (chat_id, thread_id) do update set
    failures = lane.failures + case when lane.available_at > now() and lane.failures > 0 then 0 else 1 end,
    available_at = greatest(lane.available_at, now() + make_interval(secs =>
      coalesce($3::float8, least(${MAX_LANE_PAUSE_SECONDS}, 2 ^ least(lane.failures, 10)))))
  returning failures, extract(epoch from available_at - now())::float8 * 1000 as "pauseMs"`,
};

const LANE_WORKS: Statement = {
  name: 'lane-works',
  text: `update lane_states set failures = 0 where chat_id = $1 and thread_id = $2 and failures > 0`,
};

/**
 * $1: old chat, $2: new chat. A group became a supergroup: moves its work to the new chat without a wait, and redirects
 * later work for the old chat to the new lane. Messages of the old chat can no longer be edited.
 */
const MOVE_CHAT: Statement = {
  name: 'chat-move',
  text: `
  with moved as (
    insert into chat_moves (from_chat_id, to_chat_id, moved_at)
    select $1::bigint, $2::bigint, now() where $1::bigint <> $2::bigint
    on conflict (from_chat_id) do nothing
  ), followed as (
    update chat_moves set to_chat_id = $2 where to_chat_id = $1
  ), closed as (
    update cards set closed_at = now() where chat_id = $1 and closed_at is null
  )
  update outbox set chat_id = $2, lease_token = lease_token + 1, last_error = null,
    dead_at = case when kind = 'card' then null else dead_at end,
    available_at = case when kind = 'warning' then available_at else now() end
  where chat_id = $1`,
};

const MOVED_TO: Statement = {
  name: 'chat-moved-to',
  text: `select to_chat_id::text as "chatId" from chat_moves where from_chat_id = $1`,
};

/** $1: a configured lane. Selects its current chat and topic. */
const DESTINATION: Statement = {
  name: 'lane-destination',
  text: `select ${CHAT_OF('$1::text')}::text as "chatId", ${THREAD_OF('$1::text')}::text as "threadId"`,
};

/** Parameters: id, lease token, chat, topic. Invalidates a concurrent renewal. */
const MOVE_WORK: Statement = {
  name: 'outbox-move-work',
  text: `
  update outbox set chat_id = $3, thread_id = $4, available_at = now(), lease_token = lease_token + 1
  where id = $1 and lease_token = $2`,
};

/** Pending requests without a card and without work, for example made while Telegram was off. */
const ENQUEUE_MISSING_CARDS: Statement = {
  name: 'outbox-enqueue-missing-cards',
  text: `
  insert into outbox (approval_id, kind, chat_id, thread_id, urgency, created_at, available_at)
  select a.id, 'card', ${LANE_OF('$1::text')}, ${URGENCY.card}, now(), now() from approvals a
  where a.status = 'pending' and a.expires_at > now() and not exists (
    select 1 from cards c
    where c.approval_id = a.id and c.chat_id = ${CHAT_OF('$1::text')} and c.message_id is not null)
  on conflict (approval_id, kind) do nothing
  returning id`,
};

/** Cards that still show a pending request although the approval is settled. */
const ENQUEUE_MISSING_OUTCOMES: Statement = {
  name: 'outbox-enqueue-missing-outcomes',
  text: `
  insert into outbox (approval_id, kind, chat_id, thread_id, urgency, created_at, available_at)
  select distinct on (a.id) a.id, 'outcome', c.chat_id, c.thread_id, ${URGENCY.outcome}, now(), now()
  from cards c join approvals a on a.id = c.approval_id
  where c.closed_at is null and c.message_id is not null and a.status <> 'pending'
  on conflict (approval_id, kind) do nothing
  returning id`,
};

const NOTICE: Statement = {
  name: 'outbox-notice',
  text: `
  insert into outbox (kind, chat_id, thread_id, urgency, created_at, available_at, data)
  values ('notice', ${LANE_OF('$1::text')}, ${URGENCY.first}, now(), now(), $2)`,
};

/** Clears the records of sends with an unknown outcome: a person who requests a replay accepts a duplicate. */
const FORGIVEN = (revived: string) => `
  forgiven as (
    update cards set documents_lost = 0, sending_at = case when message_id is null then null else sending_at end
    from ${revived} where cards.approval_id = ${revived}.approval_id
  ), forgiven_pieces as (
    update card_pieces set lost = 0, sending_at = null
    from ${revived} where card_pieces.approval_id = ${revived}.approval_id and message_id is null
  )`;

/** Also revives a dead letter. */
const HURRY: Statement = {
  name: 'outbox-hurry',
  text: `
  with hurried as (
    update outbox set urgency = ${URGENCY.first} where approval_id = $1 and kind = 'card' and dead_at is null
  ), revived as (
    update outbox set urgency = ${URGENCY.first}, dead_at = null, available_at = now(),
      lease_token = lease_token + 1
    where approval_id = $1 and kind = 'card' and dead_at is not null returning approval_id
  ), ${FORGIVEN('revived')}
  select 1`,
};

const OVERVIEW: Statement = {
  name: 'outbox-overview',
  text: `
  select count(*)::int as pending, min(expires_at) as next_expiry,
    (select count(*)::int from outbox where dead_at is null and available_at <= now()) as unsent
  from approvals where status = 'pending' and expires_at > now()`,
};

const DEAD: Statement = {
  name: 'outbox-dead',
  text: `
  select id, kind, approval_id, chat_id, thread_id, attempts, dead_at, last_error from outbox
  where dead_at is not null order by id desc limit $1`,
};

const REPLAY: Statement = {
  name: 'outbox-replay',
  text: `
  with replayed as (
    update outbox set dead_at = null, available_at = now(), lease_token = lease_token + 1
    where dead_at is not null and ($1::bigint is null or id = $1) returning id, approval_id
  ), ${FORGIVEN('replayed')}
  select id from replayed`,
};

export interface Overview {
  /** Requests that nobody has decided yet. */
  readonly pending: number;
  readonly nextExpiry: Date | null;
  /** Messages that are due and not sent. */
  readonly unsent: number;
}

/** Work that cannot succeed in its current state; a person must look at it. */
export interface DeadLetter {
  readonly id: string;
  readonly kind: Work['kind'];
  readonly approvalId: string | null;
  readonly chatId: string;
  /** The topic of a forum; null: the chat itself. */
  readonly threadId: string | null;
  readonly attempts: number;
  readonly deadAt: Date;
  readonly error: string;
}

function toWork(row: WorkRow & { id: string }): Work {
  const { id, chat_id: chatId, thread_id: threadId, lease_token: leaseToken, attempts, slot_id: slot } = row;
  const leased = { id, chatId, threadId, leaseToken, attempts, failedBefore: row.failed_before, slot };
  if (row.kind === 'digest' || row.kind === 'notice') {
    const data: unknown = JSON.parse(row.data ?? '');
    return { ...leased, kind: row.kind, data } as ChatWork;
  }
  if (row.approval_id === null) throw new Error(`outbox row ${id} is about no approval`);
  return { ...leased, kind: row.kind, approvalId: row.approval_id };
}

/** The outbox: Telegram work that must still happen. */
@Injectable()
export class OutboxStore {
  private readonly leaseSeconds: number;

  constructor(
    private readonly database: Database,
    private readonly budget: SendBudget,
    @Inject(CONFIG) config: Config,
  ) {
    this.leaseSeconds = config.escalation.leaseSeconds;
  }

  /**
   * Leases the next due work, with room in the send budget for its first call.
   *
   * @param busy keys of lanes whose work must wait.
   */
  claim(busy: readonly string[] = []): Promise<Claim> {
    return this.database.transaction(async (query) => {
      await query(LOCK_BUDGET, []);
      await query(FORGET_SLOTS, []);
      const [row] = await query<WorkRow>(CLAIM, [...this.budget.limits, this.leaseSeconds, busy]);
      if (!row || row.id === null)
        return {
          work: null,
          waitMs: row?.wait_ms ?? null,
          waiting: row?.waiting ?? [],
          full: row?.full ?? [],
        };
      const work = toWork({ ...row, id: row.id });
      if (work.kind === 'card') {
        const minute = work.chatId.startsWith('-') ? this.budget.groupMinute : this.budget.privateMinute;
        await query(DIGEST, [work.chatId, work.threadId, minute]);
      }
      return { work };
    });
  }

  /** Renews the leases of running work. */
  async renew(works: readonly Work[]): Promise<void> {
    const ids = works.map(({ id }) => id);
    const tokens = works.map(({ leaseToken }) => leaseToken);
    await this.database.query(RENEW, [ids, tokens, this.leaseSeconds]);
  }

  async finish({ id, leaseToken }: Work): Promise<void> {
    await this.database.query(FINISH, [id, leaseToken]);
  }

  /** Requeues the work; it becomes available after `waitMs`. */
  async postpone({ id, leaseToken }: Work, waitMs: number, error: string | null): Promise<void> {
    await this.database.query(POSTPONE, [id, leaseToken, waitMs / 1000, error]);
  }

  /** Moves the work behind everything else in its lane. */
  async demote({ id, leaseToken }: Work): Promise<void> {
    await this.database.query(DEMOTE, [id, leaseToken]);
  }

  /** Requeues the work after a successful step; the next step may follow at once. */
  async goOn({ id, leaseToken }: Work): Promise<void> {
    await this.database.query(GO_ON, [id, leaseToken]);
  }

  /** Makes the work a dead letter, which stays visible and can be replayed. */
  async bury({ id, leaseToken }: Work, error: string): Promise<void> {
    await this.database.query(BURY, [id, leaseToken, error]);
  }

  /** Pauses the lane for `toldMs`, or with a growing backoff: nothing is sent to it meanwhile. */
  async pauseLane({ chatId, threadId }: Lane, toldMs: number | null): Promise<LanePause> {
    const values = [chatId, threadId, toldMs === null ? null : toldMs / 1000];
    const [pause] = await this.database.query<LanePause>(PAUSE_LANE, values);
    if (!pause) throw new Error('pausing a lane returned no row');
    return pause;
  }

  async laneWorks({ chatId, threadId }: Lane): Promise<void> {
    await this.database.query(LANE_WORKS, [chatId, threadId]);
  }

  /** Requeues the work in another lane. */
  async moveWork({ id, leaseToken }: Work, { chatId, threadId }: Lane): Promise<void> {
    await this.database.query(MOVE_WORK, [id, leaseToken, chatId, threadId]);
  }

  /**
   * Moves the current and future work of a group that became a supergroup.
   *
   * @returns the number of open cards to send again in the new chat.
   */
  async moveChat(fromChatId: string, toChatId: string): Promise<number> {
    await this.database.query(MOVE_CHAT, [fromChatId, toChatId]);
    return this.enqueueMissingCards({ chatId: toChatId, threadId: NO_TOPIC });
  }

  /** @returns the new id of a chat that moved; null if no move is known. */
  async movedTo(chatId: string): Promise<string | null> {
    const [moved] = await this.database.query<{ chatId: string }>(MOVED_TO, [chatId]);
    return moved?.chatId ?? null;
  }

  /** @returns the current lane for these messages, since the chat may have moved. */
  async resolve(lane: Lane): Promise<Lane> {
    const [now] = await this.database.query<Lane>(DESTINATION, [laneKey(lane)]);
    return now ?? lane;
  }

  async overview(): Promise<Overview> {
    const [row] = await this.database.query<{ pending: number; next_expiry: Date | null; unsent: number }>(
      OVERVIEW,
      [],
    );
    return { pending: row?.pending ?? 0, nextExpiry: row?.next_expiry ?? null, unsent: row?.unsent ?? 0 };
  }

  /** @returns the number of enqueued cards. */
  async enqueueMissingCards(lane: Lane): Promise<number> {
    return (await this.database.query(ENQUEUE_MISSING_CARDS, [laneKey(lane)])).length;
  }

  /** @returns the number of enqueued edits. */
  async enqueueMissingOutcomes(): Promise<number> {
    return (await this.database.query(ENQUEUE_MISSING_OUTCOMES, [])).length;
  }

  /** Moves the card to the front of its lane's queue, even if it is a dead letter. */
  async hurry(approvalId: string): Promise<void> {
    await this.database.query(HURRY, [approvalId]);
  }

  async enqueueNotice(lane: Lane, gap: Gap): Promise<void> {
    await this.database.query(NOTICE, [laneKey(lane), JSON.stringify(gap)]);
  }

  /** Newest first. */
  async deadLetters(limit: number): Promise<DeadLetter[]> {
    const rows = await this.database.query<{
      id: string;
      kind: Work['kind'];
      approval_id: string | null;
      chat_id: string;
      thread_id: string;
      attempts: number;
      dead_at: Date;
      last_error: string | null;
    }>(DEAD, [limit]);
    return rows.map((row) => ({
      id: row.id,
      kind: row.kind,
      approvalId: row.approval_id,
      chatId: row.chat_id,
      threadId: row.thread_id === NO_TOPIC ? null : row.thread_id,
      attempts: row.attempts,
      deadAt: row.dead_at,
      error: row.last_error ?? '',
    }));
  }

  /** Replays a dead letter, or all of them. @returns the number of replayed letters. */
  async replay(id: string | null): Promise<number> {
    return (await this.database.query(REPLAY, [id])).length;
  }
}
