import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../config/environment';
import { Database, type Statement } from '../../database/database';
import type { DecisionCounts } from '../../kernel/announcement';
import { Lanes } from '../../outbox/lanes';
import { announce } from '../../outbox/outbox-work';

/** A digest begins after the transactions that began in its interval have ended. */
const SETTLED_AFTER = `interval '10 seconds'`;
/** The longest interval of one digest, after a pause. */
const LONGEST = `interval '1 day'`;
/** Rules that are named; the others are counted together. */
const NAMED_RULES = 5;
/** A request ends at most this long after its time is up, unless no replica ran. */
const SWEPT_WITHIN_MINUTES = 60;

const BY_RULE = `kind = 'policy' and status = 'approved'`;
const BY_PERSON = (kind = 'kind'): string =>
  `${kind} not in ('policy', 'grant') and status in ('approved', 'rejected')`;

const countOf = (condition: string): string => `coalesce(sum(count) filter (where ${condition}), 0)`;

/**
 * Parts of a statement: `counts`, the {@link DecisionCounts} as `jsonb` and their `total`, of the requests that ended since
 * a time and before another one. An id begins with the time of the request, so the primary key finds them; an index on
 * the time of the end would cost every settlement.
 *
 * @param lookBack parameter with the longest life of a request, in minutes.
 */
const countEnded = (since: string, before: string, lookBack: string): string => `
  ended as materialized (
    select status, settled_by_kind as kind, settled_by_name as rule, count(*)::int as count,
      array_agg(extract(epoch from settled_at - created_at)::float8) filter (where ${BY_PERSON('settled_by_kind')}) as seconds
    from approvals
    where id >= (lpad(to_hex((extract(epoch from ${since} - make_interval(mins => ${lookBack}::int)) * 1000)::bigint), 12, '0')
        || repeat('0', 20))::uuid
      and settled_at >= ${since} and settled_at < ${before}
    group by status, settled_by_kind, settled_by_name
  ), by_rule as (
    select rule, count from ended where ${BY_RULE} order by count desc, rule limit ${NAMED_RULES}
  ), counts as (
    select coalesce(sum(count), 0)::int as total, jsonb_build_object(
      'allowed', ${countOf(BY_RULE)},
      'rules', (select coalesce(jsonb_agg(by_rule order by count desc, rule), '[]') from by_rule),
      'byGrant', ${countOf(`kind = 'grant'`)},
      'denied', ${countOf(`kind = 'policy' and status = 'rejected'`)},
      'approved', ${countOf(`${BY_PERSON()} and status = 'approved'`)},
      'rejected', ${countOf(`${BY_PERSON()} and status = 'rejected'`)},
      'expired', ${countOf(`status = 'expired'`)},
      'cancelled', ${countOf(`status = 'cancelled'`)},
      'medianSeconds', (
        select percentile_cont(0.5) within group (order by answer) from ended, unnest(seconds) as answer)) as counts
    from ended
  )`;

/**
 * Parameters: interval in minutes, longest life of a request in minutes, lanes. The update of the one row serializes the
 * replicas: the second one finds the interval covered. Enqueues nothing if nothing ended.
 */
export const SEND: Statement = {
  name: 'digest-send',
  text: `
  with due as materialized (
    select date_bin(make_interval(mins => $1::int), now() - ${SETTLED_AFTER}, 'epoch') as until
  ), span as materialized (
    update digest_state set covered_until = due.until,
      covered_since = greatest(coalesce(covered_until, due.until - make_interval(mins => $1::int)), due.until - ${LONGEST})
    from due where covered_until is null or covered_until < due.until
    returning covered_since as since, covered_until as until
  ), ${countEnded('(select since from span)', '(select until from span)', '$2')}, happened as (
    select counts, (extract(epoch from since) * 1000)::bigint as from_ms, (extract(epoch from until) * 1000)::bigint as to_ms
    from counts, span where total > 0
  ), announced as (${announce({
    of: 'happened',
    lanes: '$3',
    news: `jsonb_build_object('event', 'digest', 'fromMs', from_ms, 'toMs', to_ms, 'counts', counts)`,
    urgency: 'card',
  })}
  )
  select counts from happened`,
};

/** Start of the day in UTC. */
const MIDNIGHT = `(date_trunc('day', now() at time zone 'utc') at time zone 'utc')`;

/** Parameters: longest life of a request in minutes. */
export const TODAY: Statement = {
  name: 'digest-today',
  text: `with ${countEnded(MIDNIGHT, 'now()', '$1')} select counts from counts`,
};

/** Counts the requests that ended, by who or what decided them. */
@Injectable()
export class DigestStore {
  private readonly longestLifeMinutes: number;

  constructor(
    private readonly database: Database,
    private readonly lanes: Lanes,
    @Inject(CONFIG) config: Config,
  ) {
    const { maxTimeoutSeconds, gracePeriodSeconds } = config.approvals;
    this.longestLifeMinutes = Math.ceil((maxTimeoutSeconds + gracePeriodSeconds) / 60) + SWEPT_WITHIN_MINUTES;
  }

  /**
   * Enqueues the digest of the last interval, on one replica only.
   *
   * @returns null if it is not due, or nothing ended.
   */
  async send(intervalMinutes: number): Promise<DecisionCounts | null> {
    const values = [intervalMinutes, this.longestLifeMinutes, this.lanes.current];
    const [sent] = await this.database.query<{ counts: DecisionCounts }>(SEND, values);
    return sent?.counts ?? null;
  }

  /** Counts since midnight UTC. */
  async today(): Promise<DecisionCounts> {
    const [row] = await this.database.query<{ counts: DecisionCounts }>(TODAY, [this.longestLifeMinutes]);
    if (!row) throw new Error('counting the decisions of today returned no row');
    return row.counts;
  }
}
