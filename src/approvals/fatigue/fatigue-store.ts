import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../config/environment';
import { Database, type Query, type Statement } from '../../database/database';
import type { FatigueCause, WeekOfDecisions } from '../../kernel/announcement';
import { Lanes } from '../../outbox/lanes';
import { POLICY_LEVEL } from '../../policy/policy-level';
import { announce } from '../../outbox/outbox-work';

/** More decisions of one person within an hour than this are too many to read: one a minute. */
export const MANY_AN_HOUR = 60;
/** Nobody reads cards in less, over {@link FAST_OVER} decisions in a row; source: people.md. */
export const FAST_MEDIAN_SECONDS = 2;
export const FAST_OVER = 20;

const LOOK_EVERY = `interval '5 minutes'`;
/** A warning of one cause about one person is repeated at the earliest after this. */
const WARN_AGAIN = `interval '1 day'`;
/** People whom the weekly message names; the others are counted together. */
const NAMED_PEOPLE = 10;
/** The group that gets the messages; source: people.md. */
const LEADS = 'leads';
/** A week ends on Monday at nine in UTC. It is reported a little later, when insight has counted its last hour. */
const LAST_MONDAY = `date_bin('7 days', now() - interval '10 minutes', timestamptz '2026-01-05 09:00+00')`;

const NOW = `date_trunc('milliseconds', now())`;

/** $1 is the level of this build. Older replicas cannot render these messages, and share the outbox during an upgrade. */
const ALL_CAN_SEND = `not exists (select from replicas
      where seen_at > now() - interval '10 seconds' and coalesce(policy_level, 0) < $1::int)`;

/**
 * Part of a statement: `leads`, one row with the lanes of the leads whom the bot may write, without those whose quiet hours
 * it is; the lanes of all operators if there is no such lead at any hour.
 */
const leads = (all: string, quiet: string): string => `
  reachable as materialized (
    select people.name, direct.lane from policy_state join people on people.version = active_version
      join direct_lanes as direct on direct.kind = 'telegram' and direct.id = people.telegram::text
    where '${LEADS}' = any(people.groups)
  ), leads as materialized (
    select case when exists (select from reachable)
      then array(select lane from reachable where name <> all(${quiet}::text[]) order by lane)
      else ${all}::text[] end as lanes
  )`;

/** While all leads have quiet hours, a message about a person waits for the first of them, and goes to nobody else. */
const SOMEBODY_READS = '(select cardinality(lanes) > 0 from leads)';

const READ_NOW: Statement = { name: 'fatigue-now', text: `select ${NOW} as now` };

/**
 * Takes the turn to look; the others find it taken, and do not wait for the look. Parameters: level, lanes of all operators,
 * names of the people whose quiet hours it is.
 */
const TAKE_LOOK: Statement = {
  name: 'fatigue-take-look',
  text: `
  with ${leads('$2', '$3')}
  update fatigue_state set looked_at = now() where id = (select id from fatigue_state
    where (looked_at is null or looked_at < now() - ${LOOK_EVERY}) and ${ALL_CAN_SEND} and ${SOMEBODY_READS}
    for update skip locked) returning id`,
};

/** Takes the turn to report a week, likewise. */
const TAKE_WEEK: Statement = {
  name: 'fatigue-take-week',
  text: `
  with ${leads('$2', '$3')}
  update fatigue_state set week_until = due.until
  from (select ${LAST_MONDAY} as until) as due
  where id = (select id from fatigue_state
    where (week_until is null or week_until < ${LAST_MONDAY}) and ${ALL_CAN_SEND}
      and ${SOMEBODY_READS}
    for update skip locked)
  returning due.until as until`,
};

/** The first id of requests of a time. */
const idAt = (time: string): string =>
  `(lpad(to_hex((extract(epoch from ${time}) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid`;

/**
 * Parts of a statement: `decided`, the decisions of people between two times, with the seconds that each took. A tap takes
 * from the time when the card appeared, everything else from the request.
 *
 * @param lookBack parameter with the longest life of a request, in minutes
 */
const decidedBetween = (since: string, before: string, lookBack: string): string => `
  decided as materialized (
    select by_name as person, decided_at, extract(epoch from decided_at - coalesce(case when by_kind = 'telegram' then (
        select min(sent_at) from cards where cards.approval_id = approvals.id and sent_at <= decided_at) end,
        created_at))::float8 as seconds
    from decisions join approvals on approvals.id = decisions.approval_id
    where decisions.approval_id >= ${idAt(`${since} - make_interval(mins => ${lookBack}::int)`)}
      and decided_at >= ${since} and decided_at < ${before} and by_kind in ('telegram', 'console', 'api')
  )`;

/**
 * The decisions of one tap, on a turn, are one answer: the person read one card.
 * Parameters: longest life of a request in minutes, lanes of all operators, names of the people whose quiet hours it is.
 */
const WARN: Statement = {
  name: 'fatigue-warn',
  text: `
  with ${decidedBetween(`now() - interval '1 hour'`, 'now()', '$1')}, answered as (
    select person, decided_at, min(seconds) as seconds from decided group by person, decided_at
  ), ranked as (
    select *, row_number() over (partition by person order by decided_at desc) as place from answered
  ), by_person as materialized (
    select person, count(*)::int as decisions,
      percentile_cont(0.5) within group (order by seconds) filter (where place <= ${FAST_OVER}) as median
    from ranked group by person
  ), tired as materialized (
    select person, 'many' as cause, decisions, median from by_person where decisions > ${MANY_AN_HOUR}
    union all
    select person, 'fast', decisions, median from by_person
    where decisions >= ${FAST_OVER} and median < ${FAST_MEDIAN_SECONDS}
  ), warned as (
    insert into fatigue_warnings (person, cause, warned_at) select person, cause, now() from tired
    on conflict (person, cause) do update set warned_at = excluded.warned_at
      where fatigue_warnings.warned_at < now() - ${WARN_AGAIN}
    returning person, cause
  ), news as materialized (
    select tired.* from tired join warned using (person, cause)
  ), ${leads('$2', '$3')}, announced as (${announce({
    of: 'news',
    lanes: '(select lanes from leads)',
    news: `jsonb_build_object('event', 'fatigue', 'person', person, 'cause', cause, 'decisions', decisions, 'medianSeconds', median)`,
    urgency: 'card',
  })}
  )
  select person, cause from news order by person, cause`,
};

/** Parameters: longest life of a request in minutes, lanes of all operators, names of the people whose quiet hours it is, end. */
const REPORT: Statement = {
  name: 'fatigue-report',
  text: `
  with ${decidedBetween(`$4::timestamptz - interval '7 days'`, '$4::timestamptz', '$1')}, by_person as materialized (
    select person, count(*)::int as decisions, percentile_cont(0.5) within group (order by seconds) as median
    from decided group by person
  ), named as (
    select * from by_person order by decisions desc, person limit ${NAMED_PEOPLE}
  ), unanswered as (
    select coalesce(sum(count), 0)::int as count from insight_hours
    where dimension = 'all' and status = 'expired' and hour >= $4::timestamptz - interval '7 days' and hour < $4
  ), week as materialized (
    select jsonb_build_object('decisions', (select count(*) from decided),
      'medianSeconds', (select percentile_cont(0.5) within group (order by seconds) from decided),
      'people', coalesce(jsonb_agg(jsonb_build_object('person', person, 'decisions', decisions, 'medianSeconds', median)
        order by decisions desc, person), '[]'),
      'unanswered', (select count from unanswered)) as week
    from named
  ), happened as materialized (
    select week from week where (week ->> 'decisions')::int + (week ->> 'unanswered')::int > 0
  ), ${leads('$2', '$3')}, announced as (${announce({
    of: 'happened',
    lanes: '(select lanes from leads)',
    news: `jsonb_build_object('event', 'week', 'toMs', (extract(epoch from $4::timestamptz) * 1000)::bigint, 'week', week)`,
    urgency: 'card',
  })}
  )
  select week from happened`,
};

/** Names of the people who get no direct messages at a time. */
export type QuietAt = (at: Date) => readonly string[];

/** A warning that was enqueued. */
export interface Tired {
  readonly person: string;
  readonly cause: FatigueCause;
}

/** Counts what each person decided, for the leads. The replicas take turns by one row, on the database's clock. */
@Injectable()
export class FatigueStore {
  private readonly longestLifeMinutes: number;

  constructor(
    private readonly database: Database,
    private readonly lanes: Lanes,
    @Inject(CONFIG) { approvals }: Config,
  ) {
    this.longestLifeMinutes = Math.ceil((approvals.maxTimeoutSeconds + approvals.gracePeriodSeconds) / 60);
  }

  /** Enqueues the warnings that are due, on one replica only. @returns null if it was not due. */
  warn(quietAt: QuietAt): Promise<readonly Tired[] | null> {
    return this.database.transaction(async (query) => {
      const readers = await this.readers(query, quietAt);
      const taken = await query(TAKE_LOOK, [POLICY_LEVEL, ...readers]);
      return taken.length === 0 ? null : query<Tired>(WARN, [this.longestLifeMinutes, ...readers]);
    });
  }

  /** Enqueues the message about the last week, on one replica only. @returns null if it was not due, or nothing was decided. */
  report(quietAt: QuietAt): Promise<WeekOfDecisions | null> {
    return this.database.transaction(async (query) => {
      const readers = await this.readers(query, quietAt);
      const [due] = await query<{ until: Date }>(TAKE_WEEK, [POLICY_LEVEL, ...readers]);
      if (due === undefined) return null;
      const values = [this.longestLifeMinutes, ...readers, due.until];
      const [sent] = await query<{ week: WeekOfDecisions }>(REPORT, values);
      return sent?.week ?? null;
    });
  }

  /** The lanes of all operators, and the names of the people whose quiet hours it is. */
  private async readers(
    query: Query,
    quietAt: QuietAt,
  ): Promise<readonly [readonly string[], readonly string[]]> {
    const [row] = await query<{ now: Date }>(READ_NOW, []);
    return [this.lanes.current, row === undefined ? [] : quietAt(row.now)];
  }
}
