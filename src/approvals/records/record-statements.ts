import { POLICY_JSON } from '../policy-column';
import type { Statement } from '../../database/database';
import { CHANNELS } from '../../kernel/actor';
import { LAST_BUCKET, PER_DOUBLING, SHORTEST_SECONDS } from './decision-times';

/** Requests that one run reads: some ten milliseconds. */
export const BATCH = 500;
/** A run ends after this many bytes of requests; it has at least one. */
const BATCH_BYTES = 8 * 1024 * 1024;
/** Characters of a request that a search finds. */
export const SEARCHED = 16_384;
/** Names of each dimension that an hour keeps, since callers choose names freely. */
const MAX_NAMES = 100;
/** The tool's name and the call's id stand at the end of a request; each has at most 200 characters, which escapes make longer. */
const TAIL = 2_600;

const PERSON = `settled_by_kind in (${CHANNELS.map((channel) => `'${channel}'`).join(', ')})
      and status in ('approved', 'rejected')`;

/** The lowest id of a time. */
const idAt = (time: string): string =>
  `(lpad(to_hex((extract(epoch from ${time}) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid`;

const CHARACTERS = String.raw`(?:[^"\\]|\\.)*`;

/** The name of the tool, escaped as it is in JSON. The pattern fits only at the end, where no input of the tool reaches. */
export const TOOL = `substring(right(request, ${TAIL})
      from ',"toolName":"(${CHARACTERS})","toolUseId":(?:null|"${CHARACTERS}")\\}$')`;

/** The end of a request, with the name of the tool and the id of the call. */
export const CALL = `substring(right(request, ${TAIL})
      from '(,"toolName":"${CHARACTERS}","toolUseId":(?:null|"${CHARACTERS}")\\})$')`;

/** ASCII punctuation, which separates words. PostgreSQL would keep paths and addresses in one piece. */
const PUNCTUATION = '!"#$%&()*+,-./:;<=>?@[]^_`{|}~';
/** The words of JSON. An escaped backslash comes first: what follows it is a letter of the text. */
export const asWords = (text: string): string =>
  `translate(regexp_replace(${text}, '\\\\\\\\|\\\\[nrtbf]', ' ', 'g'), $p$${PUNCTUATION}'\\$p$, repeat(' ', ${PUNCTUATION.length + 2}))`;

/** Marks of facts among the words; no word has this sign. */
export const FACTS = {
  agent: '=a',
  session: '=s',
  tool: '=t',
  person: '=p',
  rule: '=r',
  status: '=o',
} as const;

/** Locks the state unless another statement holds it. Then {@link RECORD} does nothing. */
export const LOCK_STATE: Statement = {
  name: 'records-lock',
  text: `select from record_state for update skip locked`,
};

/**
 * Records requests that have ended, each once: counts them by the hour and indexes their words. Parameters: seconds that a
 * request must be old, so that no earlier id can still appear.
 *
 * The locked row of the state lets one replica run at a time. A replica that had read the older state finds the new one
 * when it has the lock, and counts of those that waited only what it deletes itself. So a crash or a race counts nothing twice.
 */
export const RECORD: Statement = {
  name: 'records-record',
  text: `
  with state as materialized (
    select after_id from record_state for update skip locked
  ), passed as materialized (
    select id, status from (
      select id, status, sum(octet_length(request)) over (order by id) - octet_length(request) as bytes_before
      from (
        select a.id, a.status, a.request from state, lateral (
          select id, status, request from approvals
          where id > after_id and id < ${idAt('now() - make_interval(secs => $1::float8)')}
          order by id limit ${BATCH}) as a) as found) as measured
    where bytes_before < ${BATCH_BYTES}
  ), waited as (
    delete from record_waiting using state
    where id in (
      select w.id from record_waiting w left join approvals a using (id)
      where a.status is distinct from 'pending' limit ${BATCH})
    returning id
  ), waiting as (
    insert into record_waiting select id from passed where status = 'pending' on conflict do nothing
  ), ended as materialized (
    select id, status, agent_id, session_id, settled_by_id, settled_by_name, request, ${TOOL} as tool,
      date_bin('1 hour', settled_at, 'epoch') as hour,
      case when settled_by_kind = 'policy' then 'rule' when settled_by_kind = 'grant' then 'grant'
        when ${PERSON} then 'person' else 'nobody' end as answered,
      case when ${PERSON} then greatest(0, least(${LAST_BUCKET}, floor(${PER_DOUBLING} * log(2,
        greatest(extract(epoch from settled_at - created_at), ${SHORTEST_SECONDS}) / ${SHORTEST_SECONDS})))) else -1
      end::smallint as bucket,
      ${POLICY_JSON} -> 'rules' as rules
    from approvals
    where id in (select id from passed union all select id from waited) and status <> 'pending'
  ), keyed as materialized (
    select dimension, hour, name, status, answered, bucket, count(*)::int as count
    from ended cross join lateral (values ('all', ''), ('tool', tool), ('agent', agent_id),
      ('person', case when answered = 'person' then settled_by_name end), ('rule', rules ->> 0)) as d (dimension, name)
    where name is not null
    group by 1, 2, 3, 4, 5, 6
  ), known as (
    select dimension, hour, name, exists (select from insight_hours h
        where (h.dimension, h.hour, h.name) = (n.dimension, n.hour, n.name)) as is_known, names
    from (select distinct dimension, hour, name from keyed where dimension <> 'all') as n
    join lateral (select count(distinct h.name) as names from insight_hours h
      where (h.dimension, h.hour) = (n.dimension, n.hour)) as h on true
  ), kept as (
    select dimension, hour, name,
      is_known or names + row_number() over (partition by dimension, hour, is_known order by name) <= ${MAX_NAMES} as is_kept
    from known
  ), counted as (
    insert into insight_hours (dimension, hour, name, status, answered, bucket, count)
    select dimension, hour, case when coalesce(is_kept, true) then name else '' end, status, answered, bucket, sum(count)
    from keyed left join kept using (dimension, hour, name)
    group by 1, 2, 3, 4, 5, 6
    on conflict (dimension, hour, name, status, answered, bucket) do update
      set count = insight_hours.count + excluded.count
  ), indexed as (
    insert into approval_words (id, words)
    select id, strip(to_tsvector('simple', ${asWords(`substr(request, 1, ${SEARCHED})`)})) || array_to_tsvector(
      array_remove(array['${FACTS.agent}' || agent_id, '${FACTS.session}' || session_id, '${FACTS.tool}' || tool,
        '${FACTS.status}' || status,
        case when answered = 'person' then '${FACTS.person}' || settled_by_id end,
        case when answered = 'person' then '${FACTS.person}' || settled_by_name end]
        || array(select '${FACTS.rule}' || rule from jsonb_array_elements_text(rules) as rule), null))
    from ended
    on conflict (id) do nothing
  ), moved as (
    update record_state set after_id = last.id
    from (select id from passed order by id desc limit 1) as last, state
  )
  select (select count(*) from passed)::int as passed, (select count(*) from waited)::int as waited`,
};
