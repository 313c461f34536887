import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../config/environment';
import { Database, type Statement } from '../database/database';
import { URGENCY } from '../database/outbox-work';
import { FORGET_SLOTS, FREE_AT, LOCK_BUDGET, SendBudget, SLOT_END } from './send-budget';

/** A leased piece of work; `leaseToken` proves that the lease is still ours when it ends. */
interface Leased {
  readonly id: string;
  readonly chatId: string;
  readonly leaseToken: string;
  /** Leases taken so far, this one included. */
  readonly attempts: number;
  /** Room in the send budget for one call. */
  readonly slot: string;
}

/** What is said about one approval: its card, how it ended, that its time runs out. */
export interface ApprovalWork extends Leased {
  readonly kind: 'card' | 'outcome' | 'warning';
  readonly approvalId: string;
}

/** Between these moments, in milliseconds since 1970, taps may have been lost. */
export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is said to a chat: how many cards wait to be sent, or that taps may have been lost. */
export type ChatWork = Leased &
  (
    | { readonly kind: 'digest'; readonly data: { readonly unsent: number } }
    | { readonly kind: 'notice'; readonly data: Gap }
  );

export type Work = ApprovalWork | ChatWork;

/**
 * Work, or how many milliseconds until there may be some; null: nothing waits. `waiting`: the chats whose work waits
 * for room in the budget, or for the end of a pause.
 */
export type Claim =
  | { readonly work: Work }
  | { readonly work: null; readonly waitMs: number | null; readonly waiting: readonly string[] };

interface WorkRow {
  id: string | null;
  kind: Work['kind'];
  approval_id: string | null;
  chat_id: string;
  lease_token: string;
  attempts: number;
  data: string | null;
  slot_id: string;
  wait_ms: number | null;
  waiting: readonly string[] | null;
}

/**
 * $4: lease in seconds, $5: chats to leave out. The most urgent, then the oldest work of a chat that may be written to and has room in
 * the budget; takes the room with it. Chats, and in each its next work, are found by steps through the index: however
 * long the backlog, a claim reads a few rows. (Asked whether there `exists` any, PostgreSQL joins with all of it.)
 */
export const CLAIM: Statement = {
  name: 'outbox-claim',
  text: `
  with recursive ${FREE_AT}, waiting as (
    (select chat_id from outbox where dead_at is null order by chat_id limit 1)
    union all
    select (select chat_id from outbox where dead_at is null and chat_id > waiting.chat_id order by chat_id limit 1)
    from waiting where chat_id is not null
  ), ready as materialized (
    select chat_id, greatest(overall.free_at, chats.free_at, lanes.available_at) as free_at
    from waiting left join chats using (chat_id) left join lanes using (chat_id) cross join overall
    where chat_id <> all ($5::bigint[]) and (select id from outbox as due
      where due.chat_id = waiting.chat_id and due.dead_at is null and due.available_at <= now() limit 1) is not null
  ), next as (
    select first.id from ready cross join clock cross join lateral (
      select id, urgency from outbox
      where chat_id = ready.chat_id and dead_at is null and available_at <= now()
      order by urgency, id limit 1 for update skip locked
    ) as first
    where ready.free_at is null or ready.free_at <= t
    order by first.urgency, first.id limit 1
  ), taken as (
    update outbox set available_at = now() + make_interval(secs => $4::float8), lease_token = lease_token + 1,
      attempts = attempts + 1
    where id in (select id from next)
    returning id, kind, approval_id, chat_id, lease_token, attempts, data
  ), slot as (
    insert into send_slots (chat_id, at) select chat_id, t + ${SLOT_END} from taken, clock returning id
  )
  select taken.*, slot.id as slot_id, null::float8 as wait_ms, null::text[] as waiting from taken, slot
  union all
  select null, null, null, null, null, null, null, null,
    (select case when count(free_at) > 0 then greatest(0, extract(epoch from min(free_at) - min(t))::float8 * 1000) end
    from ready, clock),
    (select array_agg(chat_id::text) from ready, clock where free_at > t)
  where not exists (select 1 from taken)`,
};

/**
 * $1: chat, $2: one minute of its budget. Once for a backlog; again only after that was worked off. While it is worked off,
 * it is not counted with every message: all that is asked is whether anything is left.
 */
const DIGEST: Statement = {
  name: 'outbox-digest',
  text: `
  with backlog as (
    select count(*)::int as unsent from (
      select from outbox where chat_id = $1 and kind = 'card' and dead_at is null and available_at <= now()
      limit (select 1 from lanes where chat_id = $1 and digest_at is not null)) as cards
  ), over as (
    update lanes set digest_at = null from backlog where chat_id = $1 and digest_at is not null and unsent = 0
  ), begun as (
    insert into lanes (chat_id, available_at, digest_at) select $1, now(), now() from backlog where unsent > $2
    on conflict (chat_id) do update set digest_at = now() where lanes.digest_at is null
    returning chat_id
  )
  insert into outbox (kind, chat_id, urgency, created_at, available_at, data)
  select 'digest', chat_id, ${URGENCY.first}, now(), now(), json_build_object('unsent', unsent)::text from begun, backlog`,
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

/** Parameters: id, lease token, wait in seconds, error. A renewal that is under way no longer fits. */
const POSTPONE: Statement = {
  name: 'outbox-postpone',
  text: `
  update outbox set available_at = now() + make_interval(secs => $3::float8), lease_token = lease_token + 1,
    last_error = coalesce($4, last_error)
  where id = $1 and lease_token = $2`,
};

const BURY: Statement = {
  name: 'outbox-bury',
  text: `update outbox set dead_at = now(), last_error = $3 where id = $1 and lease_token = $2`,
};

/** A refused or unreachable chat is tried again at least this often (telegram.md 1). */
const MAX_LANE_PAUSE_SECONDS = 15;

/**
 * $1: chat, $2: told wait in seconds or null: then 1 s, 2 s, 4 s … The whole chat waits, in its order. What failed
 * side by side failed for one reason: it counts once.
 */
const PAUSE_LANE: Statement = {
  name: 'lane-pause',
  text: `
  insert into lanes (chat_id, failures, available_at)
  values ($1, 1, now() + make_interval(secs => coalesce($2::float8, 1)))
  on conflict (chat_id) do update set
    failures = lanes.failures + case when lanes.available_at > now() then 0 else 1 end, available_at = greatest(lanes.available_at,
    now() + make_interval(secs => coalesce($2::float8, least(${MAX_LANE_PAUSE_SECONDS}, 2 ^ least(lanes.failures, 10)))))`,
};

const LANE_WORKS: Statement = {
  name: 'lane-works',
  text: `update lanes set failures = 0 where chat_id = $1 and failures > 0`,
};

/** $1: old chat, $2: new chat. A group became a supergroup: what was to be said is said there. */
const MOVE_LANE: Statement = {
  name: 'lane-move',
  text: `update outbox set chat_id = $2 where chat_id = $1`,
};

/** Parameters: id, lease token, chat. A renewal that is under way no longer fits. */
const MOVE_WORK: Statement = {
  name: 'outbox-move-work',
  text: `update outbox set chat_id = $3, available_at = now(), lease_token = lease_token + 1 where id = $1 and lease_token = $2`,
};

/** Pending requests that no card and no work stands for, as when Telegram was off while they were made. */
const ENQUEUE_MISSING_CARDS: Statement = {
  name: 'outbox-enqueue-missing-cards',
  text: `
  insert into outbox (approval_id, kind, chat_id, urgency, created_at, available_at)
  select a.id, 'card', $1, ${URGENCY.card}, now(), now() from approvals a
  where a.status = 'pending' and a.expires_at > now() and not exists (
    select 1 from cards c where c.approval_id = a.id and c.chat_id = $1 and c.message_id is not null)
  on conflict (approval_id, kind) do nothing
  returning id`,
};

/** Cards that still look undecided although their approval is settled. */
const ENQUEUE_MISSING_OUTCOMES: Statement = {
  name: 'outbox-enqueue-missing-outcomes',
  text: `
  insert into outbox (approval_id, kind, chat_id, urgency, created_at, available_at)
  select distinct on (a.id) a.id, 'outcome', c.chat_id, ${URGENCY.outcome}, now(), now()
  from cards c join approvals a on a.id = c.approval_id
  where c.closed_at is null and c.message_id is not null and a.status <> 'pending'
  on conflict (approval_id, kind) do nothing
  returning id`,
};

const NOTICE: Statement = {
  name: 'outbox-notice',
  text: `
  insert into outbox (kind, chat_id, urgency, created_at, available_at, data)
  values ('notice', $1, ${URGENCY.first}, now(), now(), $2)`,
};

const HURRY: Statement = {
  name: 'outbox-hurry',
  text: `update outbox set urgency = ${URGENCY.first} where approval_id = $1 and kind = 'card'`,
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
  select id, kind, approval_id, chat_id, attempts, dead_at, last_error from outbox
  where dead_at is not null order by id desc limit $1`,
};

/** Sends of unknown fate are forgotten with it: whoever replays accepts a copy. */
const REPLAY: Statement = {
  name: 'outbox-replay',
  text: `
  with replayed as (
    update outbox set dead_at = null, available_at = now(), lease_token = lease_token + 1
    where dead_at is not null and ($1::bigint is null or id = $1) returning id, approval_id
  ), forgiven as (
    update cards set documents_lost = 0, sending_at = case when message_id is null then null else sending_at end
    from replayed where cards.approval_id = replayed.approval_id
  )
  select id from replayed`,
};

export interface Overview {
  /** Requests that nobody has decided yet. */
  readonly pending: number;
  readonly nextExpiry: Date | null;
  /** Messages that could be sent and are not. */
  readonly unsent: number;
}

/** Work that can never be done as it stands; somebody must look at it. */
export interface DeadLetter {
  readonly id: string;
  readonly kind: Work['kind'];
  readonly approvalId: string | null;
  readonly chatId: string;
  readonly attempts: number;
  readonly deadAt: Date;
  readonly error: string;
}

function toWork(row: WorkRow & { id: string }): Work {
  const { id, chat_id: chatId, lease_token: leaseToken, attempts, slot_id: slot } = row;
  const leased = { id, chatId, leaseToken, attempts, slot };
  if (row.kind === 'digest' || row.kind === 'notice') {
    const data: unknown = JSON.parse(row.data ?? '');
    return { ...leased, kind: row.kind, data } as ChatWork;
  }
  if (row.approval_id === null) throw new Error(`outbox row ${id} is about no approval`);
  return { ...leased, kind: row.kind, approvalId: row.approval_id };
}

/** Telegram work that must still happen. */
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
   * Takes the next work that may be done now, with room in the send budget for its first call.
   *
   * @param busy chats whose work is to wait.
   */
  claim(busy: readonly string[] = []): Promise<Claim> {
    return this.database.transaction(async (query) => {
      await query(LOCK_BUDGET, []);
      await query(FORGET_SLOTS, []);
      const [row] = await query<WorkRow>(CLAIM, [...this.budget.limits, this.leaseSeconds, busy]);
      if (!row || row.id === null)
        return { work: null, waitMs: row?.wait_ms ?? null, waiting: row?.waiting ?? [] };
      const work = toWork({ ...row, id: row.id });
      if (work.kind === 'card') {
        const minute = work.chatId.startsWith('-') ? this.budget.groupMinute : this.budget.privateMinute;
        await query(DIGEST, [work.chatId, minute]);
      }
      return { work };
    });
  }

  /** Keeps the leases of work that is still being done. */
  async renew(works: readonly Work[]): Promise<void> {
    const ids = works.map(({ id }) => id);
    const tokens = works.map(({ leaseToken }) => leaseToken);
    await this.database.query(RENEW, [ids, tokens, this.leaseSeconds]);
  }

  async finish({ id, leaseToken }: Work): Promise<void> {
    await this.database.query(FINISH, [id, leaseToken]);
  }

  /** Gives the lease back; the work may be taken again after `waitMs`. */
  async postpone({ id, leaseToken }: Work, waitMs: number, error: string | null): Promise<void> {
    await this.database.query(POSTPONE, [id, leaseToken, waitMs / 1000, error]);
  }

  /** It can never be done; it stays to be seen and replayed. */
  async bury({ id, leaseToken }: Work, error: string): Promise<void> {
    await this.database.query(BURY, [id, leaseToken, error]);
  }

  /** The chat cannot be written to: nothing for it is tried until `toldMs` passed, or a wait that grows. */
  async pauseLane(chatId: string, toldMs: number | null): Promise<void> {
    await this.database.query(PAUSE_LANE, [chatId, toldMs === null ? null : toldMs / 1000]);
  }

  async laneWorks(chatId: string): Promise<void> {
    await this.database.query(LANE_WORKS, [chatId]);
  }

  /** Gives the lease back; the work waits in the lane of another chat from now on. */
  async moveWork({ id, leaseToken }: Work, toChatId: string): Promise<void> {
    await this.database.query(MOVE_WORK, [id, leaseToken, toChatId]);
  }

  /** @returns how many open cards are made again in the new chat. */
  async moveLane(fromChatId: string, toChatId: string): Promise<number> {
    await this.database.query(MOVE_LANE, [fromChatId, toChatId]);
    return this.enqueueMissingCards(toChatId);
  }

  async overview(): Promise<Overview> {
    const [row] = await this.database.query<{ pending: number; next_expiry: Date | null; unsent: number }>(
      OVERVIEW,
      [],
    );
    return { pending: row?.pending ?? 0, nextExpiry: row?.next_expiry ?? null, unsent: row?.unsent ?? 0 };
  }

  /** @returns how many cards were enqueued. */
  async enqueueMissingCards(chatId: string): Promise<number> {
    return (await this.database.query(ENQUEUE_MISSING_CARDS, [chatId])).length;
  }

  /** @returns how many edits were enqueued. */
  async enqueueMissingOutcomes(): Promise<number> {
    return (await this.database.query(ENQUEUE_MISSING_OUTCOMES, [])).length;
  }

  /** Moves the card to the front of what its chat is sent. */
  async hurry(approvalId: string): Promise<void> {
    await this.database.query(HURRY, [approvalId]);
  }

  async enqueueNotice(chatId: string, gap: Gap): Promise<void> {
    await this.database.query(NOTICE, [chatId, JSON.stringify(gap)]);
  }

  /** Newest first. */
  async deadLetters(limit: number): Promise<DeadLetter[]> {
    const rows = await this.database.query<{
      id: string;
      kind: Work['kind'];
      approval_id: string | null;
      chat_id: string;
      attempts: number;
      dead_at: Date;
      last_error: string | null;
    }>(DEAD, [limit]);
    return rows.map((row) => ({
      id: row.id,
      kind: row.kind,
      approvalId: row.approval_id,
      chatId: row.chat_id,
      attempts: row.attempts,
      deadAt: row.dead_at,
      error: row.last_error ?? '',
    }));
  }

  /** Tries a dead letter again, or all of them. @returns how many. */
  async replay(id: string | null): Promise<number> {
    return (await this.database.query(REPLAY, [id])).length;
  }
}
