import { PERSON_WAITS_MS, type Statement } from '../database/database';
import { delaySteps, requeueOutcomes, requeueReminders, rescheduleWarnings } from '../outbox/outbox-work';
import { ELIGIBLE_PERSON, MAY_DECIDE } from '../people/eligible';
import { SAME_OWNER, STILL_PENDING } from './approval-statements';

const NOW = `date_trunc('milliseconds', now())`;

/** The actor $3:$4 may decide the request now. */
const MAY_CLAIM = `${STILL_PENDING} and expires_at > now() and not (${SAME_OWNER}) and ${MAY_DECIDE('$3', '$4')}`;

/** Members of a claim or an extension; $5 is the name of the actor. */
const BY = `'by', jsonb_build_object('kind', $3::text, 'id', $4::text, 'name', $5::text),
      'person', ${ELIGIBLE_PERSON('$3', '$4')}, 'at', ${NOW}`;

/** A step that a claim delays still begins so long before the end of the request: people must have time to see it. */
const LAST_STEP_SECONDS = 60;

/**
 * Claims a request that nobody else has claimed, or snoozes one, at most until its end, and delays the next step of its chain to the end of the
 * claim: each step once, so that no row of claims keeps the others from being asked. Decides nothing.
 *
 * Parameters: id, seconds, actor kind, actor id, actor name, lanes, kind of the claim.
 */
export const CLAIM: Statement = {
  name: 'approval-claim',
  withinMs: PERSON_WAITS_MS,
  text: `
  with claimed as (
    update approvals set claim = jsonb_build_object('kind', $7::text, ${BY},
      'until', least(${NOW} + make_interval(secs => $2::float8), expires_at))
    where id = $1 and ${MAY_CLAIM} and (claim is null or (claim ->> 'until')::timestamptz <= now()
      or (claim ->> 'kind' = 'snoozed' and $7 = 'claimed')
      or (claim ->> 'kind' <> $7 and ((claim -> 'by' ->> 'kind' = $3 and claim -> 'by' ->> 'id' = $4)
        or claim ->> 'person' = ${ELIGIBLE_PERSON('$3', '$4')})))
    returning id, correlation_id, input_digest, (claim ->> 'until')::timestamptz as until, claim ->> 'person' as person,
      least((claim ->> 'until')::timestamptz, expires_at - interval '${LAST_STEP_SECONDS} seconds') as paused_until
  ), delayed as (${delaySteps('claimed')}
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select ${NOW}, 'approval.' || $7::text, $3 || ':' || $4, id, correlation_id, json_build_object('person', person,
      'name', $5::text, 'until', until, 'inputDigest', input_digest)::text
    from claimed
  ), shown as (${requeueOutcomes({ of: 'claimed', lanes: '$6', urgency: 'outcome' })}
  ), snoozed as (
    select id, until as due_at from claimed where $7 = 'snoozed'
  ), reminded as (${requeueReminders('snoozed')}
  )
  select id from claimed`,
};

/**
 * Gives a request more time, up to its longest. Decides nothing.
 *
 * Parameters: id, seconds, actor kind, actor id, actor name, lanes, seconds from its creation that it may wait at most,
 * lead of the warnings in seconds.
 */
export const EXTEND: Statement = {
  name: 'approval-extend',
  withinMs: PERSON_WAITS_MS,
  text: `
  with extended as (
    update approvals set expires_at = expires_at + make_interval(secs => $2::float8),
      extension = jsonb_build_object(${BY})
    where id = $1 and ${MAY_CLAIM}
      and expires_at + make_interval(secs => $2::float8) <= created_at + make_interval(secs => $7::float8)
    returning id, correlation_id, input_digest, created_at, expires_at, extension ->> 'person' as person,
      case when claim ->> 'kind' = 'snoozed' and (claim ->> 'until')::timestamptz > now()
        then (claim ->> 'until')::timestamptz end as snoozed_until
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select ${NOW}, 'approval.extended', $3 || ':' || $4, id, correlation_id, json_build_object('person', person,
      'name', $5::text, 'seconds', $2::float8, 'expiresAt', expires_at, 'inputDigest', input_digest)::text
    from extended
  ), shown as (${requeueOutcomes({ of: 'extended', lanes: '$6', urgency: 'outcome' })}
  ), warned as (${rescheduleWarnings('extended', '$8')}
  )
  select id from extended`,
};
