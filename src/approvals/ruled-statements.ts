import type { Statement } from '../database/database';

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
 * Inserts requests that rules have answered: settled, with their receipts, without a card. Parameters, each an array with a
 * value for each request: key, agent, session, request, digest, correlation, idempotency key, body digest, seconds,
 * traceparent, owner, replica, connector, id, status, policy version, deciding rule, reason, verdict as JSON, receipt; then
 * the time of all of them.
 *
 * Stores an answer only while its version is active, and an approval only while nobody has stopped the rules. A replica
 * that has missed a change therefore answers nothing by an old version.
 *
 * Inserts in the order of the idempotency keys, so that two replicas with the same keys cannot deadlock.
 */
export const STORE_RULED: Statement = {
  name: 'approval-store-ruled',
  text: `
  with input as materialized (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[],
      $9::float8[], $10::text[], $11::text[], $12::integer[], $13::text[], $14::uuid[], $15::text[], $16::text[], $17::text[],
      $18::text[], $19::text[], $20::text[]) with ordinality
      as t (key_id, agent_id, session_id, request, input_digest, correlation_id, idempotency_key, body_digest,
        seconds, traceparent, owner, holder, connector, id, status, version, rule, reason, verdict, receipt, place)
  ), valid as materialized (
    select place from input, policy_state
    where active_version = version and (status <> 'approved' or stopped_at is null)
      and $21::timestamptz between now() - make_interval(secs => ${READ_AT_MOST_SECONDS_AGO}) and now()
  ), new as (
    insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id,
      idempotency_key, body_digest, traceparent, owner, holder, connector, created_at, expires_at,
      status, settled_at, settled_by_kind, settled_by_id, settled_by_name, reason, policy)
    select id, key_id, agent_id, session_id, request, input_digest, correlation_id, idempotency_key, body_digest,
      traceparent, owner, holder, connector, $21, $21 + make_interval(secs => seconds),
      status, $21, 'policy', version, rule, reason, verdict
    from input join valid using (place) order by key_id, idempotency_key
    on conflict (key_id, idempotency_key) where idempotency_key is not null do nothing
    returning id, expires_at
  ), stored as (
    select input.*, new.expires_at from new join input using (id)
  ), signed as (
    insert into receipts (approval_id, jws) select id, receipt from stored
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select $21, type, actor, id, correlation_id, data
    from stored cross join lateral (values
      (1, 'approval.enqueued', 'api:' || key_id, json_build_object('inputDigest', input_digest)::text),
      (2, 'approval.' || status, 'policy:' || version, json_build_object('name', rule,
        'reason', ('"' || reason || '"')::json, 'inputDigest', input_digest)::text)) as entry (nth, type, actor, data)
    order by place, nth
  )
  select input.place::int, stored.expires_at, stored.id is not null as stored, valid.place is not null as valid
  from input left join stored using (place) left join valid using (place)
  order by input.place`,
};
