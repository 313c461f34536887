import { Inject, Injectable } from '@nestjs/common';
import { IsNull, Not } from 'typeorm';
import { CONFIG, type Config } from '../config/environment';
import { Database, type Statement } from '../database/database';
import type { Announcement } from '../kernel/announcement';
import { Carrier, type Room } from './carrier';
import { URGENCY } from './outbox-work';
import { OutboxEntity } from './outbox.entities';

/** A leased piece of work; `leaseToken` proves at its end that the lease is still held. */
interface Leased {
  readonly id: string;
  readonly lane: string;
  readonly leaseToken: string;
  /** Leases taken so far, this one included. */
  readonly attempts: number;
  /** True if this work or its lane has failed and neither has succeeded since. */
  readonly failedBefore: boolean;
  /** Room in the limits of the channel for one call. */
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

/** The turns around this request: those to be made, and the summaries to be sent or brought up to date. */
export interface TurnsOf {
  readonly turnsOf: string;
}

/** Work for a whole lane: the digest of unsent cards, or a notice: news, that taps may be lost, or summaries of turns. */
export type LaneWork = Leased &
  (
    | { readonly kind: 'digest'; readonly data: { readonly unsent: number } }
    | { readonly kind: 'notice'; readonly data: Gap | Announcement | TurnsOf }
  );

export type Work = ApprovalWork | LaneWork;

/**
 * Work, or the milliseconds until there may be some; null: nothing waits. `waiting`: the lanes whose work
 * waits for room, or for the end of a pause. `full`: these, and the lanes of which only cards wait.
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
  lane: string;
  lease_token: string;
  attempts: number;
  failed_before: boolean;
  data: string | null;
  shared: boolean;
  wait_ms: number | null;
  waiting: readonly string[] | null;
  full: readonly string[] | null;
}

/** Ranges of urgency; `shared` is true for those that must leave room for outcomes. */
const TIERS = `(values (-32768, ${URGENCY.first}, false), (${URGENCY.card}, ${URGENCY.card}, true),
      (${URGENCY.outcome}, ${URGENCY.outcome}, false), (${URGENCY.warning}, 32767, true)) as tiers (least, most, shared)`;

/**
 * Parameters: lease in seconds, lanes and channels to exclude; then for each {@link Room} its place, its time, and its
 * time for shared messages. A lane whose channel has no room of its own is not served here. Claims the most urgent, then the oldest work of a lane that is not
 * paused and has room. It finds the lanes, and in each the next work of every tier, by steps through the index, so a
 * claim reads a few rows even from a long backlog. (With `exists`, PostgreSQL would join with the whole backlog.)
 */
export const CLAIM: Statement = {
  name: 'outbox-claim',
  text: `
  with recursive clock as materialized (select clock_timestamp() as t), rooms as materialized (
    select * from unnest($3::text[], $4::timestamptz[], $5::timestamptz[]) as room (place, free_at, share_free_at)
  ), waiting as (
    (select lane from outbox where dead_at is null order by lane limit 1)
    union all
    select next_lane.* from waiting cross join lateral (
      select lane from outbox where dead_at is null and lane > waiting.lane order by lane limit 1
    ) as next_lane
  ), open as materialized (
    select lane, rooms.share_free_at, greatest(channel.free_at, rooms.free_at, outbox_lanes.available_at) as room_at
    from waiting join rooms as channel on channel.place = split_part(lane, ':', 1)
      left join rooms on rooms.place = split_part(lane, '/', 1) left join outbox_lanes using (lane)
    where lane <> all ($2::text[]) and channel.place <> all ($2::text[])
  ), ready as materialized (
    select lane, least, most, shared, room_at,
      case when shared then greatest(room_at, share_free_at) else room_at end as free_at
    from open cross join ${TIERS}
    where (select id from outbox as due
      where due.lane = open.lane and due.urgency between least and most
        and due.dead_at is null and due.available_at <= now() limit 1) is not null
  ), next as (
    select first.id from ready cross join clock cross join lateral (
      select id, urgency from outbox
      where lane = ready.lane and urgency between least and most and dead_at is null and available_at <= now()
      order by urgency, id limit 1 for update skip locked
    ) as first
    where ready.free_at is null or ready.free_at <= t
    order by first.urgency, first.id limit 1
  ), taken as (
    update outbox set available_at = now() + make_interval(secs => $1::float8), lease_token = lease_token + 1,
      attempts = attempts + 1
    where id in (select id from next)
    returning id, kind, approval_id, lane, lease_token, attempts, data, urgency
  )
  select taken.id, kind, approval_id, lane, lease_token, attempts, data, urgency <> ${URGENCY.outcome} as shared,
    attempts > 1 or coalesce(failures, 0) > 0 as failed_before,
    null::float8 as wait_ms, null::text[] as waiting, null::text[] as "full"
  from taken left join outbox_lanes using (lane)
  union all
  select null, null, null, null, null, null, null, null, null,
    (select case when count(free_at) > 0 then greatest(0, extract(epoch from min(free_at) - min(t))::float8 * 1000) end
    from ready, clock),
    (select array_agg(distinct lane) from ready, clock where room_at > t),
    (select array_agg(distinct lane) from ready, clock where free_at > t and least <= ${URGENCY.card})
  where not exists (select 1 from taken)`,
};

/**
 * Parameters: lane, its messages in a minute. Enqueues one digest for a backlog; the next one only after that backlog
 * was sent. Meanwhile it does not count the backlog with every message, but only checks if any is left.
 */
const DIGEST: Statement = {
  name: 'outbox-digest',
  text: `
  with backlog as (
    select count(*)::int as unsent from (
      select from outbox where lane = $1 and kind = 'card' and dead_at is null and available_at <= now()
      limit (select 1 from outbox_lanes where lane = $1 and digest_at is not null)) as cards
  ), over as (
    update outbox_lanes set digest_at = null from backlog where lane = $1 and digest_at is not null and unsent = 0
  ), begun as (
    insert into outbox_lanes (lane, available_at, digest_at)
    select $1, now(), now() from backlog where unsent > $2
    on conflict (lane) do update set digest_at = now() where outbox_lanes.digest_at is null
    returning lane
  )
  insert into outbox (kind, lane, urgency, created_at, available_at, data)
  select 'digest', lane, ${URGENCY.first}, now(), now(), json_build_object('unsent', unsent)::text from begun, backlog`,
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

/** Parameters: id, lease token, wait in seconds. A step is done; the next one follows as its first attempt. */
const GO_ON: Statement = {
  name: 'outbox-go-on',
  text: `
  update outbox set available_at = now() + make_interval(secs => $3::float8), lease_token = lease_token + 1, attempts = 0,
    last_error = null
  where id = $1 and lease_token = $2`,
};

/**
 * Parameters: card. Its lane refuses it, so the chain of its approval is looked at now: a step that reaches nobody is followed
 * by the next one at once. It waits for a run of that chain, which may not have seen this refusal.
 */
const REFUSE: Statement = {
  name: 'outbox-refuse',
  text: `
  with refused as (
    update outbox set refused_at = now() where id = $1 and kind = 'card' and refused_at is null returning approval_id
  )
  update outbox set available_at = now() from refused
  where outbox.approval_id = refused.approval_id and kind = 'step'`,
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
 * Parameters: lane, given wait in seconds or null: then 1 s, 2 s, 4 s … The whole lane waits. Concurrent failures have
 * one cause and count once.
 */
const PAUSE_LANE: Statement = {
  name: 'lane-pause',
  text: `
  insert into outbox_lanes as lane (lane, failures, available_at)
  values ($1, 1, now() + make_interval(secs => coalesce($2::float8, 1)))
  on conflict (lane) do update set
    failures = lane.failures + case when lane.available_at > now() and lane.failures > 0 then 0 else 1 end,
    available_at = greatest(lane.available_at, now() + make_interval(secs =>
      coalesce($2::float8, least(${MAX_LANE_PAUSE_SECONDS}, 2 ^ least(lane.failures, 10)))))
  returning failures, extract(epoch from available_at - now())::float8 * 1000 as "pauseMs"`,
};

const LANE_WORKS: Statement = {
  name: 'lane-works',
  text: `update outbox_lanes set failures = 0 where lane = $1 and failures > 0`,
};

/**
 * Parameters: id, lease token, lane. Invalidates a concurrent renewal. Where the same work waits in that lane already, it does
 * what this row would do, and the row goes.
 */
const MOVE_WORK: Statement = {
  name: 'outbox-move-work',
  text: `
  with there as (
    select from outbox as other join outbox as own on own.id = $1
    where other.approval_id = own.approval_id and other.kind = own.kind and other.lane = $3 and other.id <> own.id
  ), gone as (
    delete from outbox where id = $1 and lease_token = $2 and exists (select from there)
  )
  update outbox set lane = $3, available_at = now(), lease_token = lease_token + 1
  where id = $1 and lease_token = $2 and not exists (select from there)`,
};

const NOTICE: Statement = {
  name: 'outbox-notice',
  text: `
  insert into outbox (kind, lane, urgency, created_at, available_at, data)
  values ('notice', $1, ${URGENCY.first}, now(), now(), $2)`,
};

/** Also revives a dead letter. Returns the approval, if so. */
const HURRY: Statement = {
  name: 'outbox-hurry',
  text: `
  with hurried as (
    update outbox set urgency = ${URGENCY.first} where approval_id = $1 and kind = 'card' and dead_at is null
  )
  update outbox set urgency = ${URGENCY.first}, dead_at = null, available_at = now(), lease_token = lease_token + 1
  where approval_id = $1 and kind = 'card' and dead_at is not null returning approval_id`,
};

const COUNT_UNSENT: Statement = {
  name: 'outbox-count-unsent',
  text: `select count(*)::int as unsent from outbox where dead_at is null and available_at <= now()
    and kind <> 'step'`,
};

const REPLAY: Statement = {
  name: 'outbox-replay',
  text: `
  update outbox set dead_at = null, available_at = now(), lease_token = lease_token + 1
  where dead_at is not null and ($1::bigint is null or id = $1) returning id, approval_id`,
};

/** Work that cannot succeed in its current state; a person must look at it. */
export interface DeadLetter {
  readonly id: string;
  readonly kind: Work['kind'];
  readonly approvalId: string | null;
  readonly lane: string;
  readonly attempts: number;
  readonly deadAt: Date;
  readonly error: string;
}

/** Values of {@link CLAIM}. */
export function claimValues(
  leaseSeconds: number,
  busy: readonly string[],
  rooms: readonly Room[],
): unknown[] {
  return [
    leaseSeconds,
    busy,
    rooms.map(({ place }) => place),
    rooms.map(({ freeAt }) => freeAt),
    rooms.map(({ shareFreeAt }) => shareFreeAt),
  ];
}

function toWork(row: WorkRow & { id: string; slot: string }): Work {
  const { id, lane, slot, lease_token: leaseToken, attempts, failed_before: failedBefore } = row;
  const leased = { id, lane, leaseToken, attempts, failedBefore, slot };
  if (row.kind === 'digest' || row.kind === 'notice') {
    const data: unknown = JSON.parse(row.data ?? '');
    return { ...leased, kind: row.kind, data } as LaneWork;
  }
  if (row.approval_id === null) throw new Error(`outbox row ${id} is about no approval`);
  return { ...leased, kind: row.kind, approvalId: row.approval_id };
}

/** The outbox: messages that must still be sent, by lane. */
@Injectable()
export class OutboxStore {
  private readonly leaseSeconds: number;

  constructor(
    private readonly database: Database,
    private readonly carrier: Carrier,
    @Inject(CONFIG) config: Config,
  ) {
    this.leaseSeconds = config.escalation.leaseSeconds;
  }

  /**
   * Leases the next due work, with room in the channel's limits for its first call.
   *
   * @param busy lanes, and whole channels, whose work must wait.
   */
  claim(busy: readonly string[] = []): Promise<Claim> {
    return this.database.transaction(async (query) => {
      const rooms = await this.carrier.readRoom(query);
      const [row] = await query<WorkRow>(CLAIM, claimValues(this.leaseSeconds, busy, rooms));
      if (!row || row.id === null)
        return {
          work: null,
          waitMs: row?.wait_ms ?? null,
          waiting: row?.waiting ?? [],
          full: row?.full ?? [],
        };
      const { id, lane, shared } = row;
      const work = toWork({ ...row, id, slot: await this.carrier.takeSlot(query, lane, shared) });
      if (work.kind === 'card') await query(DIGEST, [lane, this.carrier.perMinute(lane)]);
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

  /** Requeues the work after a successful step; the next step may follow after the wait, by default at once. */
  async goOn({ id, leaseToken }: Work, waitMs = 0): Promise<void> {
    await this.database.query(GO_ON, [id, leaseToken, waitMs / 1000]);
  }

  /** The lane refuses the card, and not only now: the chain of its approval must not wait for it. */
  async refuse({ id }: ApprovalWork): Promise<void> {
    await this.database.query(REFUSE, [id]);
  }

  /** Makes the work a dead letter, which stays visible and can be replayed. */
  async bury({ id, leaseToken }: Work, error: string): Promise<void> {
    await this.database.query(BURY, [id, leaseToken, error]);
  }

  /** Pauses the lane for `toldMs`, or with a growing backoff: nothing is sent to it meanwhile. */
  async pauseLane(lane: string, toldMs: number | null): Promise<LanePause> {
    const [pause] = await this.database.query<LanePause>(PAUSE_LANE, [
      lane,
      toldMs === null ? null : toldMs / 1000,
    ]);
    if (!pause) throw new Error('pausing a lane returned no row');
    return pause;
  }

  async laneWorks(lane: string): Promise<void> {
    await this.database.query(LANE_WORKS, [lane]);
  }

  /** Requeues the work in another lane. */
  async moveWork({ id, leaseToken }: Work, lane: string): Promise<void> {
    await this.database.query(MOVE_WORK, [id, leaseToken, lane]);
  }

  /** Counts the messages that are due and not sent. */
  async countUnsent(): Promise<number> {
    const [row] = await this.database.query<{ unsent: number }>(COUNT_UNSENT, []);
    return row?.unsent ?? 0;
  }

  /** Moves the card to the front of its lane's queue, even if it is a dead letter. */
  async hurry(approvalId: string): Promise<void> {
    await this.revive(HURRY, approvalId);
  }

  async enqueueNotice(lane: string, gap: Gap): Promise<void> {
    await this.database.query(NOTICE, [lane, JSON.stringify(gap)]);
  }

  /** Newest first. */
  async deadLetters(limit: number): Promise<DeadLetter[]> {
    const select = {
      id: true,
      kind: true,
      approvalId: true,
      lane: true,
      attempts: true,
      deadAt: true,
      lastError: true,
    };
    const where = { deadAt: Not(IsNull()) };
    const dead = await this.database.rows(OutboxEntity, (rows) =>
      rows.find({ select, where, order: { id: 'desc' }, take: limit }),
    );
    return dead.map(({ deadAt, lastError, kind, ...row }) => ({
      ...row,
      // Steps of chains are never dead.
      kind: kind as Work['kind'],
      deadAt: deadAt as Date,
      error: lastError ?? '',
    }));
  }

  /** Replays a dead letter, or all of them. @returns the number of replayed letters. */
  replay(id: string | null): Promise<number> {
    return this.revive(REPLAY, id);
  }

  private revive(statement: Statement, id: string | null): Promise<number> {
    return this.database.transaction(async (query) => {
      const revived = await query<{ approval_id: string | null }>(statement, [id]);
      await this.carrier.forgive(
        query,
        revived.flatMap(({ approval_id: approvalId }) => approvalId ?? []),
      );
      return revived.length;
    });
  }
}
