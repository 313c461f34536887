import { PERSON_WAITS_MS, type Statement } from '../database/database';
import { announce } from '../outbox/outbox-work';
import { MAY_DECIDE } from '../people/eligible';
import { IS_OPEN, MAX_OPEN_OF_KEY } from '../policy/grants/grant-store';
import {
  AFTERMATH,
  ENDED,
  READ_AT_MOST_SECONDS_AGO,
  SAME_OWNER,
  SHOWN,
  STILL_PENDING,
} from './approval-statements';

/** The active version is the one of this parameter, and nobody has stopped the rules. */
const RULED_BY = (version: string) =>
  `exists (select from policy_state where active_version is not distinct from ${version}::text and stopped_at is null)`;

const HAS_ROOM = `(select count(*) from grants g where g.key_id = approvals.key_id and ${IS_OPEN}) < ${MAX_OPEN_OF_KEY}`;

/** A grant of a directory has no session, so that an earlier version, which knows no directories, never uses it. */
const SESSION_UNLESS = (cwd: string) => `case when ${cwd}::text is null then session_id else '' end`;

/**
 * Approves a request for a person and makes a grant from it; settles the given requests that it covers in the same session
 * or, for a grant of a directory, in any.
 * All or nothing, except that a covered request may have settled meanwhile. Locks in the order of the ids, so that it cannot
 * deadlock with another of these statements or with one that settles a turn.
 *
 * Parameters: id, status, actor kind, actor id, actor name, lanes, the database's time, receipt, whether the receipt names
 * the card that was tapped, the digest of the card; then of the grant: id, scope, words, tool, seconds, maximum of uses,
 * policy version, its name as an actor; then ids and receipts of the covered requests, the news for the operators, and the
 * directory of the grant.
 */
export const GRANT: Statement = {
  name: 'approval-grant',
  withinMs: PERSON_WAITS_MS,
  text: `
  with asked as materialized (
    select id, key_id, session_id from approvals
    where id = $1 and ${STILL_PENDING} and expires_at > now() and not (${SAME_OWNER})
      and $7::timestamptz between now() - make_interval(secs => ${READ_AT_MOST_SECONDS_AGO}) and now()
      and ($9::boolean or ${SHOWN} is not distinct from $10::text)
      and ${RULED_BY('$17')} and ${HAS_ROOM}
      and required is null and ${MAY_DECIDE('$3', '$4')}
  ), locked as materialized (
    select id from approvals
    where id = any($19::uuid[] || $1::uuid) and ${STILL_PENDING} and expires_at > now() and exists (select from asked)
    order by id for update
  ), main as materialized (
    select * from asked where (select count(*) filter (where id = $1) from locked) = 1
  ), answers as (
    select id, $3::text as kind, $4::text as by_id, $5::text as by_name, $8::text as receipt from main
    union all
    select covered.id, 'grant', $11::uuid::text, $18::text, covered.receipt
    from main, unnest($19::uuid[], $20::text[]) as covered (id, receipt)
  ), ended as (
    update approvals set status = $2, settled_at = $7, settled_by_kind = kind, settled_by_id = by_id,
      settled_by_name = by_name
    from answers, main
    where approvals.id = answers.id and ${STILL_PENDING} and expires_at > now()
      and approvals.key_id = main.key_id and ($22::text is not null or approvals.session_id = main.session_id)
    returning ${ENDED.split(/,\s*/)
      .map((column) => `approvals.${column}`)
      .join(', ')}, receipt
  ), made as (
    insert into grants (id, approval_id, key_id, session_id, cwd, tool, scope, words, policy_version, made_by_kind,
      made_by_id, made_by_name, made_at, expires_at, max_uses, uses)
    select $11, id, key_id, ${SESSION_UNLESS('$22')}, $22, $14, $12, $13, $17, $3, $4, $5, $7, $7 + make_interval(secs => $15::float8), $16,
      (select count(*) from ended where settled_by_kind = 'grant')
    from main returning id, approval_id, made_at, expires_at, max_uses, words
  ), made_audited as (
    insert into audit_log (at, type, actor, approval_id, data)
    select made_at, 'grant.made', $3 || ':' || $4, approval_id, json_build_object('grant', id, 'scope', words,
      'expiresAt', expires_at, 'maxUses', max_uses)::text
    from made
  ), announced as (${announce({ of: 'made', lanes: '$6', news: '$21::jsonb' })}
  ), signed as (
    insert into receipts (approval_id, jws) select id, receipt from ended on conflict (approval_id) do nothing
  ), decided as (
    insert into decisions (approval_id, by_kind, by_id, by_name, verdict, reason, display_digest, decided_at)
    select id, settled_by_kind, settled_by_id, settled_by_name, status, reason, case when id = $1 then $10 end, settled_at
    from ended
    on conflict do nothing
  ), ${AFTERMATH('$6')}`,
};

/**
 * Makes a grant of one use from a request that ended without a decision, at most one from each; finds it again for its maker,
 * whose answer may have been lost. No row: it may not be made.
 *
 * Parameters: id, lanes, actor kind, actor id, actor name; then of the grant: id, scope, words, tool, seconds, policy version,
 * directory; then the news for the operators without the key.
 */
export const GRANT_LATE: Statement = {
  name: 'approval-grant-late',
  withinMs: PERSON_WAITS_MS,
  text: `
  with main as materialized (
    select id, correlation_id, key_id, session_id, case when ${SAME_OWNER} then 'same-owner'
      when not ${MAY_DECIDE('$3', '$4')} then 'not-eligible' end as refusal from approvals
    where id = $1 and (status = 'expired' or (status = 'cancelled' and settled_by_kind = 'api' and settled_by_id = key_id))
      and required is null and ${RULED_BY('$11')}
      and (${HAS_ROOM} or exists (select from grants g where g.approval_id = approvals.id))
  ), made as (
    insert into grants (id, approval_id, key_id, session_id, cwd, tool, scope, words, policy_version, made_by_kind,
      made_by_id, made_by_name, made_at, expires_at, max_uses, uses)
    select $6, id, key_id, ${SESSION_UNLESS('$12')}, $12, $9, $7, $8, $11, $3, $4, $5, date_trunc('milliseconds', now()),
      date_trunc('milliseconds', now()) + make_interval(secs => $10::float8), 1, 0
    from main where refusal is null
    on conflict (approval_id) do update set words = grants.words
      where grants.made_by_kind = $3 and grants.made_by_id = $4 and grants.revoked_at is null
    returning id, approval_id, key_id, made_at, expires_at, max_uses, uses, words
  ), new as (
    select * from made where id = $6
  ), made_audited as (
    insert into audit_log (at, type, actor, approval_id, data)
    select made_at, 'grant.made', $3 || ':' || $4, approval_id, json_build_object('grant', id,
      'scope', words, 'expiresAt', expires_at, 'maxUses', max_uses, 'late', true)::text
    from new
  ), refused as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select date_trunc('milliseconds', now()), 'approval.decision-refused', $3 || ':' || $4, id, correlation_id,
      json_build_object('reason', refusal, 'decision', 'approved')::text
    from main where refusal is not null
  ), announced as (${announce({
    of: 'new',
    lanes: '$2',
    news: `$13::jsonb || jsonb_build_object('keyId', key_id)`,
  })}
  )
  select refusal, made.id, expires_at, max_uses - uses as uses_left from main left join made on true`,
};
