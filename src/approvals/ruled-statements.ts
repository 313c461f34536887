import type { Statement } from '../database/database';
import { announce } from '../outbox/outbox-work';
import { ALARM_LASTS } from '../policy/grants/grant-store';

/** JavaScript dates hold milliseconds; the stored time must equal the shown one. */
const NOW = `date_trunc('milliseconds', now())`;

/** A receipt names the id and the time of its approval, so both are read before it is signed. If it took longer, they are read again. */
const READ_AT_MOST_SECONDS_AGO = 5;

/** Parameters: the number of ids. */
export const NEW_IDS: Statement = {
  name: 'approval-new-ids',
  text: `select uuid_v7(${NOW}) as id, ${NOW} as now from generate_series(1, $1::int)`,
};

/**
 * Inserts requests that rules and grants have answered: settled, with their receipts, without a card. Parameters, each an
 * array with a value for each request: key, agent, session, request, digest, correlation, idempotency key, body digest,
 * seconds, traceparent, owner, replica, connector, id, status, policy version, actor kind, actor id, actor name, reason,
 * verdict as JSON, receipt, grant; then the time of all of them,
 * the uses of one grant in a minute beyond which the operators are told (0: never), and lanes.
 *
 * Stores an answer only while its version is active, and an approval only while nobody has stopped the rules. A replica
 * that has missed a change therefore answers nothing by an old version. An answer by a grant needs a use that is left, and
 * counts it; the locked rows order the replicas. A trigger ends the grants of a rejection; those of its key are locked with
 * the others, in one order.
 *
 * Inserts in the order of the idempotency keys, so that two replicas with the same keys cannot deadlock.
 */
export const STORE_RULED: Statement = {
  name: 'approval-store-ruled',
  text: `
  with input as materialized (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[],
      $9::float8[], $10::text[], $11::text[], $12::integer[], $13::text[], $14::uuid[], $15::text[], $16::text[], $17::text[],
      $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::uuid[]) with ordinality
      as t (key_id, agent_id, session_id, request, input_digest, correlation_id, idempotency_key, body_digest,
        seconds, traceparent, owner, holder, connector, id, status, version, by_kind, by_id, by_name, reason, verdict,
        receipt, grant_id, place)
  ), touched as materialized (
    select id, approval_id, key_id, words, made_by_name, policy_version, max_uses - uses as uses_left, pace_at, pace_uses,
      alarmed_at from grants
    where id = any(array(
        select grant_id from input where grant_id is not null
        union all
        select g.id from input join grants g using (key_id)
        where status = 'rejected' and g.revoked_at is null))
      and revoked_at is null and expires_at > now()
    order by id for update
  ), valid as materialized (
    select place from (
      select *, row_number() over (partition by grant_id order by place) as nth from input) as numbered
      cross join policy_state left join touched on touched.id = grant_id
    where active_version is not distinct from version and (status <> 'approved' or stopped_at is null)
      and (grant_id is null or (touched.id is not null and nth <= coalesce(uses_left, nth)
        and touched.policy_version is not distinct from active_version))
      and $24::timestamptz between now() - make_interval(secs => ${READ_AT_MOST_SECONDS_AGO}) and now()
  ), new as (
    insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id,
      idempotency_key, body_digest, traceparent, owner, holder, connector, created_at, expires_at,
      status, settled_at, settled_by_kind, settled_by_id, settled_by_name, reason, policy)
    select id, key_id, agent_id, session_id, request, input_digest, correlation_id, idempotency_key, body_digest,
      traceparent, owner, holder, connector, $24, $24 + make_interval(secs => seconds),
      status, $24, by_kind, by_id, by_name, reason, verdict
    from input join valid using (place) order by key_id, idempotency_key
    on conflict (key_id, idempotency_key) where idempotency_key is not null do nothing
    returning id, expires_at
  ), stored as (
    select input.*, new.expires_at from new join input using (id)
  ), signed as (
    insert into receipts (approval_id, jws) select id, receipt from stored
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select $24, type, actor, id, correlation_id, data
    from stored cross join lateral (values
      (1, 'approval.enqueued', 'api:' || key_id, json_build_object('inputDigest', input_digest)::text),
      (2, 'approval.' || status, by_kind || ':' || by_id, json_build_object('name', by_name,
        'reason', ('"' || reason || '"')::json, 'inputDigest', input_digest)::text)) as entry (nth, type, actor, data)
    order by place, nth
  ), used as (
    select touched.*, added, coalesce(pace_at > now() - interval '1 minute', false) as goes_on
    from touched join (select grant_id as id, count(*)::int as added from stored group by grant_id) as counts using (id)
  ), paced as (
    select *, added + case when goes_on then pace_uses else 0 end as pace from used
  ), judged as (
    select *, $25 > 0 and pace > $25::int and coalesce(alarmed_at <= now() - ${ALARM_LASTS}, true) as alarms from paced
  ), counted as (
    update grants set uses = grants.uses + added, pace_uses = pace,
      pace_at = case when goes_on then grants.pace_at else $24 end,
      alarmed_at = case when alarms then $24 else grants.alarmed_at end
    from judged where grants.id = judged.id
  ), alarmed as (
    select * from judged where alarms
  ), alarm_audited as (
    insert into audit_log (at, type, actor, approval_id, data)
    select $24, 'grant.alarmed', 'grant:' || id, approval_id,
      json_build_object('uses', pace, 'allowed', $25::int)::text
    from alarmed
  ), announced as (${announce({
    of: 'alarmed',
    lanes: '$26',
    news: `jsonb_build_object('event', 'grant-alarm', 'scope', words, 'keyId', key_id, 'madeBy', made_by_name, 'uses', pace)`,
  })}
  )
  select input.place::int, stored.expires_at, stored.id is not null as stored, valid.place is not null as valid
  from input left join stored using (place) left join valid using (place)
  order by input.place`,
};
