import type { Statement } from '../../database/database';
import { POLICY_JSON } from '../policy-column';
import { IS_SHOWN_IN } from '../../outbox/shown';
import { requeueOutcomes, showCards } from '../../outbox/outbox-work';
import { IS_ADDRESSED, IS_LANE_OF_PERSON } from '../../people/direct-lanes';
import { NAMED_LANES } from '../../policy/named-lanes';

/** JavaScript dates hold milliseconds. */
const NOW = `date_trunc('milliseconds', now())`;

/**
 * Parameters: limit. Locks steps that are due, with their requests: a settlement waits until the step has begun, and so
 * deletes the row of the next one. The next statement sees what was committed before these locks.
 */
export const LOCK_DUE_STEPS: Statement = {
  name: 'chain-lock-due',
  text: `
  select outbox.id, ${NOW} as now from outbox join approvals on approvals.id = outbox.approval_id
  where outbox.kind = 'step' and outbox.available_at <= now()
  order by outbox.available_at limit $1 for no key update of outbox, approvals skip locked`,
};

/** A lane that was asked shows the request, or will. */
const IS_REACHED = (
  lane: string,
): string => `(${IS_SHOWN_IN('step.approval_id', lane)} or exists (select from outbox as card
        where card.approval_id = step.approval_id and card.kind = 'card' and card.lane = ${lane}
          and card.dead_at is null and card.refused_at is null))`;

/** Lanes of the step that the active policy names no more; null: none. */
const REMOVED = `(select json_agg(lane order by lane) from fixed where fixed.id = begun.id and not is_named)`;

/**
 * Parameters: ids of locked steps, names of the people whose quiet hours it is, who get direct messages only of the class
 * critical, lanes, and the ends of those hours. Runs each step once. A step asks only in lanes that the active policy names, so
 * that no chat which it names no more gets a card. The last step waits for the first of its people if all are in their quiet
 * hours, unless the request ends before. A claim that has ended goes, and the cards offer it anew: nothing followed it.
 *
 * A row holds the steps of its chain, the place of the next one (`at`), its time (`dueMs`; absent: now, null: no step is left),
 * and the lanes of the last one (`asked`). A step begins at its time, or as soon as no lane of the step before shows the request
 * or may still show it. If that is so behind the last step, and no message shows the request anywhere, or may still show it,
 * nobody can be reached. A settled request has no further step.
 */
export const RUN_STEPS: Statement = {
  name: 'chain-run',
  text: `
  with found as materialized (
    select outbox.id, approval_id, correlation_id, owner, required, data::jsonb as chain,
      coalesce((data::jsonb ->> 'at')::int, 0) as at, jsonb_array_length(data::jsonb -> 'steps') as steps,
      status = 'pending' and expires_at > now() as is_open, expires_at, unreachable_at, claim,
      coalesce(${POLICY_JSON} ->> 'class' = 'critical', false) as is_critical
    from outbox join approvals on approvals.id = approval_id
    where outbox.id = any($1::bigint[])
  ), judged as materialized (
    select *, chain -> 'steps' -> at as next, chain ->> 'dueMs' is null
        or to_timestamp((chain ->> 'dueMs')::float8 / 1000) <= now() as is_due,
      at > 0 and not exists (select from jsonb_array_elements_text(chain -> 'asked') as asked (lane)
        where ${IS_REACHED('asked.lane')}) as has_failed
    from found as step
  ), ready as materialized (
    select * from judged as step where is_open and at < steps and (is_due or has_failed)
  ), named as materialized (${NAMED_LANES('$3')}
  ), fixed as materialized (
    select ready.id, lane, lane in (select lane from named) as is_named
    from ready cross join jsonb_array_elements_text(next -> 'lanes') as lanes (lane)
  ), addressed as materialized (
    select ready.id, direct.lane, case when not ready.is_critical then quiet.until end as quiet_until
    from ready
      join policy_state on jsonb_array_length(next -> 'direct') > 0
      join people on people.version = policy_state.active_version and ${IS_ADDRESSED(`next -> 'direct'`)}
      join direct_lanes as direct on ${IS_LANE_OF_PERSON}
      left join unnest($2::text[], $4::timestamptz[]) as quiet (name, until) on quiet.name = people.name
    where eligible_person(ready.owner, ready.required, direct.kind, direct.id) is not null
  ), waiting as materialized (
    select * from ready join (select id, min(quiet_until) as until from addressed
      group by id having bool_and(quiet_until is not null)) as asleep using (id)
    where at + 1 = steps and until < expires_at
  ), begun as materialized (
    select * from ready where id not in (select id from waiting)
  ), targets as materialized (
    select id, lane from fixed where is_named
    union
    select id, lane from addressed where quiet_until is null
  ), queued as (${showCards('(select approval_id, lane from targets join begun using (id)) as wanted')}
  ), lapsed as (
    update approvals set claim = null from ready
    where approvals.id = approval_id and (approvals.claim ->> 'until')::timestamptz <= now() returning approvals.id
  ), redrawn as (${requeueOutcomes({ of: 'lapsed', lanes: '$3', urgency: 'outcome' })}
  ), unreachable as (
    update approvals set unreachable_at = ${NOW} from judged as step
    where approvals.id = step.approval_id and step.is_open and step.at >= steps and has_failed
      and step.unreachable_at is null and not exists (select from cards as shown
        where shown.approval_id = step.approval_id and shown.message_id is not null)
      and not exists (select from outbox as card where card.approval_id = step.approval_id and card.kind = 'card'
        and card.dead_at is null and card.refused_at is null)
    returning approvals.id, approvals.correlation_id
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select ${NOW}, 'approval.escalated', 'system:chain', approval_id, correlation_id, json_build_object('step', at + 1,
      'cause', case when is_due then 'time' else 'undeliverable' end,
      'lanes', array(select lane from targets where targets.id = begun.id order by lane),
      'removed', ${REMOVED})::text
    from begun where at > 0 or ${REMOVED} is not null
    union all
    select ${NOW}, 'approval.unreachable', 'system:chain', id, correlation_id, '{}' from unreachable
  ), gone as (
    delete from outbox using judged where outbox.id = judged.id and not is_open
  ), planned as (
    select id, chain || jsonb_build_object('at', at + 1, 'asked', array(select lane from targets where targets.id = begun.id),
        'dueMs', floor(extract(epoch from now()) * 1000) + (chain -> 'steps' -> (at + 1) ->> 'afterMs')::float8) as chain,
      not exists (select from targets where targets.id = begun.id) as is_empty
    from begun
    union all
    select id, chain || jsonb_build_object('dueMs', ceil(extract(epoch from until) * 1000)), false from waiting
    union all
    select id, chain, false from judged where is_open and id not in (select id from ready)
  ), rescheduled as (
    update outbox set data = planned.chain::text, available_at = case when is_empty then now()
      else coalesce(to_timestamp((planned.chain ->> 'dueMs')::float8 / 1000), 'infinity') end
    from planned where outbox.id = planned.id
  )
  select approval_id as id, correlation_id as "correlationId", at + 1 as step,
    case when is_due then 'time' else 'undeliverable' end as cause,
    (select count(*)::int from targets where targets.id = begun.id) as lanes, ${REMOVED} as removed, null as until
  from begun
  union all
  select approval_id, correlation_id, at + 1, 'quiet', 0, null, until from waiting
  union all
  select id, correlation_id, null, 'unreachable', 0, null, null from unreachable`,
};

/** Parameters: approval, lane. The names that the newest step of the lane that has begun mentions. */
export const MENTIONS: Statement = {
  name: 'chain-mentions',
  text: `
  select coalesce(step -> 'mention', '[]') as names
  from outbox cross join jsonb_array_elements(data::jsonb -> 'steps') with ordinality as steps (step, number)
  where approval_id = $1 and kind = 'step' and number <= (data::jsonb ->> 'at')::int and step -> 'lanes' ? $2
  order by number desc limit 1`,
};
