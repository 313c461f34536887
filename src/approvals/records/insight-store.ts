import { Injectable } from '@nestjs/common';
import { parseColumnText } from '../../database/column-text';
import { Database, PERSON_WAITS_MS, type Statement } from '../../database/database';
import type { ApprovalStatus } from '../approval';
import { quantile } from './decision-times';

/** The parts into which requests can be broken down. */
export const DIMENSIONS = ['tool', 'agent', 'person', 'rule'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Those whose names are in columns with escapes. */
const ESCAPED: ReadonlySet<Dimension> = new Set(['tool', 'agent']);

const ENDED = ['approved', 'rejected', 'expired', 'cancelled'] as const satisfies readonly ApprovalStatus[];
type Answered = 'rule' | 'grant' | 'person' | 'nobody';
const HOURS_OF_A_WEEK = 168;
/** Names of a breakdown, those with the most requests; the others are one row. */
const MAX_NAMES = 12;

/** The number of requests by their outcome, and the time to a person's decision. */
export type Outcomes = Readonly<Record<(typeof ENDED)[number], number>> & {
  readonly medianSeconds: number | null;
  readonly p95Seconds: number | null;
};

export interface Insight {
  readonly series: readonly (Outcomes & { readonly at: Date })[];
  readonly total: Outcomes;
  readonly answeredBy: Readonly<Record<Answered, number>>;
  /** Requests that ended in each hour of the week, in UTC, from Monday 0:00. */
  readonly week: readonly number[];
  /** Null: none was asked for. The row with the name null counts all further ones. */
  readonly by: readonly (Outcomes & { readonly name: string | null })[] | null;
}

export interface InsightFilter {
  readonly from: Date;
  readonly to: Date;
  readonly stepSeconds: number;
  readonly by: Dimension | null;
}

interface Counted {
  readonly status: (typeof ENDED)[number];
  readonly answered: Answered;
  readonly bucket: number;
  readonly count: number;
}

/** Parameters: from, to, step in seconds. */
export const SERIES: Statement = {
  name: 'insight-series',
  withinMs: PERSON_WAITS_MS,
  text: `
  select date_bin(make_interval(secs => $3::float8), hour, $1::timestamptz) as at, status, answered, bucket, sum(count)::int as count
  from insight_hours where dimension = 'all' and hour >= $1 and hour < $2
  group by 1, 2, 3, 4`,
};

/** Parameters: from, to. */
export const WEEK: Statement = {
  name: 'insight-week',
  withinMs: PERSON_WAITS_MS,
  text: `
  select ((extract(isodow from hour at time zone 'UTC') - 1) * 24 + extract(hour from hour at time zone 'UTC'))::int as slot,
    sum(count)::int as count
  from insight_hours where dimension = 'all' and hour >= $1 and hour < $2
  group by 1`,
};

/** Parameters: from, to, dimension. */
export const BREAKDOWN: Statement = {
  name: 'insight-breakdown',
  withinMs: PERSON_WAITS_MS,
  text: `
  with counted as materialized (
    select name, status, answered, bucket, sum(count)::int as count
    from insight_hours where dimension = $3 and hour >= $1 and hour < $2
    group by 1, 2, 3, 4
  ), top as (
    select name from counted where name <> '' group by name order by sum(count) desc, name limit ${MAX_NAMES}
  )
  select top.name, status, answered, bucket, sum(count)::int as count
  from counted left join top using (name)
  group by 1, 2, 3, 4`,
};

function outcomesOf(rows: readonly Counted[]): Outcomes {
  const outcomes = { approved: 0, rejected: 0, expired: 0, cancelled: 0 };
  const times = new Map<number, number>();
  for (const { status, answered, bucket, count } of rows) {
    outcomes[status] += count;
    if (answered === 'person') times.set(bucket, (times.get(bucket) ?? 0) + count);
  }
  return { ...outcomes, medianSeconds: quantile(times, 0.5), p95Seconds: quantile(times, 0.95) };
}

function groupBy<T, Key>(rows: readonly T[], keyOf: (row: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return groups;
}

const sizeOf = (outcomes: Outcomes): number => ENDED.reduce((sum, status) => sum + outcomes[status], 0);

/** Reads the numbers by the hour. Its cost grows with the hours that are asked for, not with the requests. */
@Injectable()
export class InsightStore {
  constructor(private readonly database: Database) {}

  async read({ from, to, stepSeconds, by }: InsightFilter): Promise<Insight> {
    const rows = await this.database.query<Counted & { at: Date }>(SERIES, [from, to, stepSeconds]);
    const week = await this.database.query<{ slot: number; count: number }>(WEEK, [from, to]);
    const breakdown =
      by === null
        ? null
        : await this.database.query<Counted & { name: string | null }>(BREAKDOWN, [from, to, by]);
    const answeredBy = { rule: 0, grant: 0, person: 0, nobody: 0 };
    for (const { answered, count } of rows) answeredBy[answered] += count;
    const steps = groupBy(rows, ({ at }) => at.getTime());
    const counts = new Map(week.map(({ slot, count }) => [slot, count]));
    return {
      series: [...steps]
        .toSorted(([a], [b]) => a - b)
        .map(([at, each]) => ({ at: new Date(at), ...outcomesOf(each) })),
      total: outcomesOf(rows),
      answeredBy,
      week: Array.from({ length: HOURS_OF_A_WEEK }, (_, slot) => counts.get(slot) ?? 0),
      by:
        breakdown &&
        [...groupBy(breakdown, ({ name }) => name)]
          .map(([name, each]) => ({
            name: name === null || !(by !== null && ESCAPED.has(by)) ? name : parseColumnText(name),
            ...outcomesOf(each),
          }))
          .toSorted((a, b) => Number(a.name === null) - Number(b.name === null) || sizeOf(b) - sizeOf(a)),
    };
  }
}
