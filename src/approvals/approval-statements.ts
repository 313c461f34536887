import { PERSON_WAITS_MS, type Statement } from '../database/database';
import { enqueueCards, enqueueChains, requeueOutcomes, withdrawCards } from '../outbox/outbox-work';
import { SHOWN_DIGEST } from '../outbox/shown';
import { ELIGIBLE_PERSON, MAY_DECIDE, MAY_SEE, READERS, SIGNER } from '../people/eligible';
import { isPresent } from '../database/replica-presence';

/** PostgreSQL channel that notifies every replica of settled approvals: ids, comma separated. */
export const SETTLED_CHANNEL = 'approval_settled';

/** NOTIFY carries less than 8000 bytes; 200 ids of 36 characters and their commas fit. */
const IDS_PER_NOTIFY = 200;

const approvalWith = (
  request: string,
) => `id, status, key_id, owner, connector, ${request}, input_digest, correlation_id, traceparent, created_at, expires_at,
  settled_at, settled_by_kind, settled_by_id, settled_by_name, reason, answers, acknowledged, policy, required, claim, extension,
  unreachable_at, erased`;
const APPROVAL = approvalWith('request');

/** JavaScript dates hold milliseconds; the stored time must equal the shown one. */
const NOW = `date_trunc('milliseconds', now())`;

/**
 * For rows that are found by their id. `is true` keeps PostgreSQL off the partial indexes of pending rows. A plan made
 * while few rows were pending would scan all of that index, for as long as the connection lives.
 */
export const STILL_PENDING = `(status = 'pending') is true`;

/** Columns hold the inside of a JSON string, so that U+0000 fits; the audit log holds JSON. */
const REASON = `('"' || reason || '"')::json`;

/** Delay of an outcome for the acknowledgement of a waiting caller, so that both are one edit. */
const ACKNOWLEDGED_WITHIN_SECONDS = 1;

/** A waiting caller acknowledges within moments, and its acknowledgement makes the edit due at once. */
const GATHERING = `make_interval(secs => case
      when (select holder from approvals a where a.id = ended.id) is null then 0 else ${ACKNOWLEDGED_WITHIN_SECONDS} end)`;

/** Leaves out the request text: no caller needs it here, and for thousands of rows it is most of the work. */
const SETTLEMENT = `id, correlation_id, traceparent, created_at, settled_at`;

/** Columns of a settled row that its aftermath needs. */
export const ENDED = `${SETTLEMENT}, status, settled_by_kind, settled_by_id, settled_by_name, reason, input_digest`;

/**
 * The work that follows an `ended` list of settled rows, in one transaction: audit row, outcome edit, wake-up. It also
 * deletes a card that was not sent yet, unless a replica is sending it at this moment.
 *
 * @param audited further members of the audit row: names and expressions, each after a comma.
 * @param answersDigest digest of the answers to a question. The row has no more of them, since all operators read it and nothing erases it.
 */
export const AFTERMATH = (lanes: string, audited = '', answersDigest = 'null::text') => `
  audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select settled_at, 'approval.' || status, settled_by_kind || ':' || settled_by_id, id, correlation_id,
      case when ${answersDigest} is null
        then json_build_object('name', settled_by_name, 'reason', ${REASON}, 'inputDigest', input_digest${audited})
        else json_build_object('name', settled_by_name, 'reason', ${REASON}, 'inputDigest', input_digest,
          'answersDigest', ${answersDigest}${audited}) end::text
    from ended
  ), outcome as (${requeueOutcomes({ of: 'ended', lanes, urgency: 'outcome', delay: GATHERING })}
  ), unsent as (${withdrawCards('ended')}
  ), woken as (
    select pg_notify('${SETTLED_CHANNEL}', string_agg(id::text, ',')) as sent from (
      select id, (row_number() over () - 1) / ${IDS_PER_NOTIFY} as part from ended) as parts
    group by part
  )
  select ${SETTLEMENT} from ended, (select count(sent) from woken) as all_woken`;

/**
 * Requests that their key has room for. `own` counts what the key has pending, unless the key is not among those to be
 * counted. A replay takes no room from new requests.
 */
const ADMITTED = `, counted as materialized (
    select key_id, pending, pending_bytes
    from unnest((select $18::text[])) as k (key_id) cross join lateral (
      select count(*) as pending, coalesce(sum(octet_length(request)), 0) as pending_bytes
      from approvals a where a.key_id = k.key_id and a.status = 'pending') as own
  ), admitted as (
    select * from (
      select *, count(*) filter (where is_new) over own as nth,
        coalesce(sum(octet_length(request)) filter (where is_new) over own, 0) as bytes
      from (
        select i.*, pending, pending_bytes, pending is not null and not exists (
          select from approvals a where a.key_id = i.key_id and a.idempotency_key = i.idempotency_key) as is_new
        from input as i left join counted using (key_id)) as compared
      window own as (partition by key_id order by place)) as numbered
    where pending is null or (pending + nth <= $19::bigint and pending_bytes + bytes <= $20::float8)
  )`;

/** The names that the steps of a chain are seen by. They are stored where the policy says which groups decide. */
const ASKED = `case when required::jsonb -> 'from' <> '[]' then array(
        select jsonb_array_elements_text(step -> 'seenBy') from jsonb_array_elements(chain::jsonb -> 'steps') as step) end`;

const enqueue = (name: string, counts: boolean): Statement => ({
  name,
  text: `
  with input as materialized (
    select *, uuid_v7(${NOW}) as id
    from unnest((select $1::text[]), $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[],
      $9::float8[], $10::text[], $11::text[], $12::integer[], $13::text[], $14::text[], $15::text[], $17::text[])
      with ordinality
      as t (key_id, agent_id, session_id, request, input_digest, correlation_id, idempotency_key, body_digest,
        seconds, traceparent, owner, holder, connector, policy, required, chain, place)
  )${counts ? ADMITTED : ''}, new as (
    insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id,
      idempotency_key, body_digest, traceparent, owner, holder, connector, policy, required, asked, created_at, expires_at)
    select id, key_id, agent_id, session_id, request, input_digest, correlation_id, idempotency_key, body_digest,
      traceparent, owner, holder, connector, policy, required::jsonb, ${ASKED}, ${NOW}, ${NOW} + make_interval(secs => seconds)
    from ${counts ? 'admitted' : 'input'} order by key_id, idempotency_key
    on conflict (key_id, idempotency_key) where idempotency_key is not null do nothing
    returning id, created_at, expires_at
  ), stored as (
    select place, key_id, correlation_id, input_digest, chain, new.* from new join input using (id)
  ), card as (${enqueueCards({ of: 'stored', lanes: '$16', order: 'place' })}
  ), chained as (${enqueueChains('stored')}
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select created_at, 'approval.enqueued', 'api:' || key_id, id, correlation_id,
      json_build_object('inputDigest', input_digest)::text
    from stored order by place
  )
  select input.place::int, stored.id, created_at, expires_at, ${
    counts
      ? 'counted.pending::int, counted.pending_bytes::float8, admitted.place is not null as admitted'
      : 'null as pending, null as pending_bytes, true as admitted'
  }
  from input left join stored using (place)
  ${counts ? 'left join admitted using (place) left join counted on counted.key_id = input.key_id' : ''}
  order by place`,
});

/**
 * Inserts many requests at once, which surely have room. Parameters, each an array with a value for each request: key,
 * agent, session, request, digest, correlation, idempotency key, body digest, seconds, traceparent, owner of the key,
 * replica where the caller waits, connector, the policy's verdict, the required decisions; then lanes, and again an array: the chain as JSON, with `steps`.
 *
 * Inserts in the order of the idempotency keys, so that two replicas with the same keys cannot deadlock.
 */
export const ENQUEUE = enqueue('approval-enqueue', false);

/**
 * Inserts those that have room. Further parameters: the keys whose pending requests are counted, the cap on their
 * number, the cap on their bytes. Apart from {@link ENQUEUE}, because its joins and sorts are a fifth of what a lone request costs PostgreSQL.
 */
export const ENQUEUE_COUNTED = enqueue('approval-enqueue-counted', true);

/** Parameters: key, idempotency key, body digest. Leaves out the request text, which its caller has. */
export const FIND_BY_IDEMPOTENCY_KEY: Statement = {
  name: 'approval-find-by-idempotency-key',
  text: `select id, correlation_id, traceparent, created_at, expires_at, body_digest = $3 as is_same
    from approvals where key_id = $1 and idempotency_key = $2`,
};

/**
 * True if the deciding key or person and the asking key have the same owner. Keys without an owner are not compared. $3 and $4: kind
 * and id of the actor.
 */
export const SAME_OWNER = `$3 in ('api', 'console') and exists (
      select from api_keys as asker where asker.name = approvals.key_id
        and ($4 in ('person:' || lower(btrim(asker.owner)), 'oidc:' || lower(btrim(asker.owner))) or exists (select from api_keys as decider
          where decider.name = $4 and lower(decider.owner) = lower(asker.owner))))`;

/**
 * A settle reads the time before it signs the receipt, and stores it. If the time is older than this, it reads again.
 */
export const READ_AT_MOST_SECONDS_AGO = 5;

/** Digest of the card that shows the approval. */
export const SHOWN = SHOWN_DIGEST('approvals.id');

/** False for what a passkey signed that was removed since. */
const SIGNER_STANDS = (signed: string): string =>
  `(${signed} is null or exists (select from passkeys where passkeys.id = ${SIGNER(signed)} and passkeys.revoked_at is null))`;

/** False also for an approval without a signature where the policy asks for a passkey. */
const VIA = (verdict: string, signed: string): string =>
  `(${SIGNER_STANDS(signed)}
      and (${verdict} <> 'approved' or required ->> 'via' is distinct from 'console' or ${signed} is not null))`;

/** Decisions like $2 of other accounts that still may: `kind:id@milliseconds`, in the order of their bytes. */
const OTHERS = `(select coalesce(array_agg(other order by other collate "C"), '{}') from (
        select by_kind || ':' || by_id || '@' || (extract(epoch from decided_at) * 1000)::bigint as other from decisions
      where approval_id = approvals.id and verdict = $2 and (by_kind, by_id) <> ($3::text, $4::text)
        and ${VIA('verdict', 'signed')} and ${ELIGIBLE_PERSON('by_kind', 'by_id')} is not null) as others)`;

/** The number of people who gave the verdict $2 and still may, with the actor $3:$4. */
const PEOPLE = `(select count(distinct ${ELIGIBLE_PERSON('kind', 'by_id')}) from (
        select by_kind, by_id from decisions where approval_id = approvals.id and verdict = $2
          and ${VIA('verdict', 'signed')}
        union select $3::text, $4::text) as given (kind, by_id))`;

const NEEDED = `coalesce((required ->> case $2::text when 'approved' then 'approvals' else 'rejections' end)::integer, 1)`;

/** Upserts the decision of the actor. */
const DECIDE = (from: string, columns: string) => `
    insert into decisions (approval_id, by_kind, by_id, by_name, verdict, reason, display_digest, decided_at, signed)
    select ${columns} from ${from}
    on conflict (approval_id, by_kind, by_id) do update set by_name = excluded.by_name, verdict = excluded.verdict,
      reason = excluded.reason, display_digest = excluded.display_digest, decided_at = excluded.decided_at,
      signed = excluded.signed`;

/**
 * Locks a request for which several people decide. Two who decide at the same time would each miss the other's row, since
 * the snapshot of a statement is older than its wait for the lock. Parameters: id.
 */
export const LOCK: Statement = {
  name: 'approval-lock',
  text: `select from approvals where id = $1 for update`,
};

/**
 * Locks the passkeys of the person who decides a locked request in the console, and of those who have, so that a decision and
 * the removal of a passkey wait for each other. Runs before anything is written. Parameters: id, actor kind, actor id.
 */
export const LOCK_PASSKEYS: Statement = {
  name: 'approval-lock-passkeys',
  text: `
  select from passkeys
  where revoked_at is null and person in (
    select substr(by_id, 8)
    from (select by_kind, by_id from decisions where approval_id = $1 union all select $2::text, $3::text) as decider
    where by_kind = 'console' and by_id like 'person:%')
  order by id for share`,
};

/**
 * Parameters: id, status, actor kind, actor id, actor name, reason, lanes, the database's time, receipt; then whether
 * the receipt names the card that was tapped, and otherwise the digest that it has for the card in the chat; then the other
 * accounts that the receipt names. A trigger ends the grants of a rejection. Then the answers, as JSON, the signature of a
 * passkey, as JSON, and the digest of the answers.
 */
export const SETTLE: Statement = {
  name: 'approval-settle',
  withinMs: PERSON_WAITS_MS,
  text: `
  with ended as (
    update approvals set status = $2, settled_at = $8, settled_by_kind = $3, settled_by_id = $4,
      settled_by_name = $5, reason = $6, answers = $13
    where id = $1 and ${STILL_PENDING} and expires_at > now() and not (${SAME_OWNER})
      and $8::timestamptz between now() - make_interval(secs => ${READ_AT_MOST_SECONDS_AGO}) and now()
      and ($10::boolean or ${SHOWN} is not distinct from $11::text)
      and ${MAY_DECIDE('$3', '$4')} and ${VIA('$2', '$14::text')}
      and (required is null or (${OTHERS} = $12::text[] and ${PEOPLE} >= ${NEEDED}))
    returning ${ENDED}
  ), signed as (
    insert into receipts (approval_id, jws) select id, $9 from ended on conflict (approval_id) do nothing
  ), replaced as (
    delete from decisions using ended join approvals using (id)
    where required is not null and approval_id = ended.id and (by_kind, by_id) <> ($3::text, $4::text)
      and ${ELIGIBLE_PERSON('by_kind', 'by_id')} = ${ELIGIBLE_PERSON('$3', '$4')}
  ), decided as (${DECIDE('ended', 'id, settled_by_kind, settled_by_id, settled_by_name, status, reason, $11, settled_at, $14')}
  ), ${AFTERMATH('$7', '', '$15::text')}`,
};

/**
 * Settles the requests of a turn by one tap. Parameters: ids, status, actor kind, actor id, actor name, their receipts, lanes,
 * the database's time, the digests of their cards; then the digest of the turn, and how many calls its message showed. Each
 * is settled that still waits and whose card in the chat is the one that was shown. A trigger ends the grants of a rejection.
 *
 * Locks in the order of the ids, so that two of these statements cannot deadlock.
 */
export const SETTLE_TURN: Statement = {
  name: 'approval-settle-turn',
  withinMs: PERSON_WAITS_MS,
  text: `
  with call as materialized (
    select approvals.id as call_id, receipt, display_digest
    from unnest($1::uuid[], $6::text[], $9::text[]) as shown (id, receipt, display_digest) join approvals using (id)
    where ${STILL_PENDING} and expires_at > now() and not (${SAME_OWNER})
      and required is null and ${MAY_DECIDE('$3', '$4')}
      and $8::timestamptz between now() - make_interval(secs => ${READ_AT_MOST_SECONDS_AGO}) and now()
      and ${SHOWN} is not distinct from display_digest
    order by approvals.id for update of approvals
  ), ended as (
    update approvals set status = $2, settled_at = $8, settled_by_kind = $3, settled_by_id = $4, settled_by_name = $5
    from call where id = call_id and ${STILL_PENDING}
    returning ${ENDED}, receipt, display_digest
  ), signed as (
    insert into receipts (approval_id, jws) select id, receipt from ended on conflict (approval_id) do nothing
  ), decided as (
    insert into decisions (approval_id, by_kind, by_id, by_name, verdict, reason, display_digest, decided_at)
    select id, settled_by_kind, settled_by_id, settled_by_name, status, reason, display_digest, settled_at from ended
    on conflict do nothing
  ), ${AFTERMATH('$7', `, 'turn', json_build_object('digest', $10::text, 'calls', $11::int)`)}`,
};

/**
 * Records a decision that does not settle its request yet, and shows it on the cards. Runs after {@link LOCK} in its
 * transaction. Parameters: id, verdict, actor kind, actor id, actor name, reason, lanes, digest of the card, signature of a passkey
 * as JSON.
 */
export const COUNT: Statement = {
  name: 'approval-count',
  text: `
  with counted as (
    select id, correlation_id, input_digest, ${NOW} as at, ${ELIGIBLE_PERSON('$3', '$4')} as person from approvals
    where id = $1 and ${STILL_PENDING} and expires_at > now() and not (${SAME_OWNER}) and required is not null
      and ${ELIGIBLE_PERSON('$3', '$4')} is not null and ${PEOPLE} < ${NEEDED}
      and ${VIA('$2', '$9::text')}
      and not exists (select from decisions where approval_id = approvals.id and verdict = $2
        and (reason is not null or $6::text is null)
        and ${ELIGIBLE_PERSON('by_kind', 'by_id')} = ${ELIGIBLE_PERSON('$3', '$4')})
  ), replaced as (
    delete from decisions using counted join approvals using (id)
    where approval_id = counted.id and (by_kind, by_id) <> ($3::text, $4::text)
      and ${ELIGIBLE_PERSON('by_kind', 'by_id')} = person
  ), decided as (${DECIDE('counted', 'id, $3, $4, $5, $2, $6, $8, at, $9')}
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select at, 'approval.counted', $3 || ':' || $4, id, correlation_id, json_build_object('decision', $2::text,
      'person', person, 'name', $5::text, 'reason', ('"' || $6 || '"')::json, 'inputDigest', input_digest)::text
    from counted
  ), shown as (${requeueOutcomes({ of: 'counted', lanes: '$7', urgency: 'outcome' })}
  )
  select id from counted`,
};

/** Parameters: id, actor kind, actor id, lanes. */
export const TAKE_BACK: Statement = {
  name: 'approval-take-back',
  text: `
  with gone as (
    delete from decisions using approvals
    where approval_id = $1 and approvals.id = $1 and ${STILL_PENDING} and expires_at > now() and required is not null
      and ${ELIGIBLE_PERSON('by_kind', 'by_id')} = ${ELIGIBLE_PERSON('$2', '$3')}
    returning approvals.id, correlation_id, verdict
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select ${NOW}, 'approval.taken-back', $2 || ':' || $3, id, correlation_id,
      json_build_object('decision', verdict)::text
    from gone
  ), taken as (
    select distinct id from gone
  ), shown as (${requeueOutcomes({ of: 'taken', lanes: '$4', urgency: 'outcome' })}
  )
  select id from taken`,
};

/**
 * Parameters: id, actor kind, actor id, actor name, reason, the number of departures after the last one, lanes. Cancels
 * nothing if a caller has joined since that departure; null: cancels in any case.
 */
export const CANCEL: Statement = {
  name: 'approval-cancel',
  withinMs: PERSON_WAITS_MS,
  text: `
  with ended as (
    update approvals set status = 'cancelled', settled_at = ${NOW}, settled_by_kind = $2, settled_by_id = $3,
      settled_by_name = $4, reason = $5
    where id = $1 and ${STILL_PENDING} and expires_at > now()
      and ($6::integer is null or (departed = $6 and joined + 1 = departed))
    returning ${ENDED}
  ), ${AFTERMATH('$7')}`,
};

/** True if the last caller left before its answer was written, or its replica is gone. */
const NOBODY_WAITS = `(departed = joined + 1 or (holder is not null and not ${isPresent('approvals.holder')}))`;

/** True if no caller received the verdict, as far as the service knows. */
const NOT_SERVED = `(status = 'pending' or (erased is null
      and status in ('approved', 'rejected') and (acknowledged is null or acknowledged = 'gone')))`;

/**
 * Parameters: id, replica. If several callers join at once, on any replicas, one succeeds and waits; the others are
 * refused. Earlier callers count as departed.
 */
export const JOIN: Statement = {
  name: 'approval-join',
  withinMs: PERSON_WAITS_MS,
  text: `update approvals set joined = joined + 1, departed = joined + 1, holder = $2
    where id = $1 and expires_at > now() and ${NOT_SERVED} and ${NOBODY_WAITS}
    returning joined`,
};

/** Parameters: id, idempotency key. */
export const RELEASE: Statement = {
  name: 'approval-release',
  text: `
  with released as (
    update approvals set idempotency_key = null where id = $1 and idempotency_key = $2
    returning id, key_id, correlation_id, status, expires_at, erased
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select ${NOW}, 'approval.use-refused', 'api:' || key_id, id, correlation_id,
      json_build_object('reason', case when expires_at <= now() then 'expired'
        when erased is not null then 'erased' else 'used' end)::text
    from released where status in ('approved', 'rejected')
  )
  select id from released`,
};

/** Parameters: id, hold. Afterwards nobody can join, because the answer is being written. */
export const TAKE: Statement = {
  name: 'approval-take',
  text: `update approvals set holder = null where id = $1 and joined = $2 and status <> 'pending' returning id`,
};

/** True if no step of its chain reached anybody, and no message has shown it since. */
export const UNREACHABLE = `unreachable_at is not null and not exists (
    select from cards where approval_id = approvals.id and message_id is not null)`;

/** Parameters: id, hold. */
export const DEPART: Statement = {
  name: 'approval-depart',
  text: `update approvals set departed = joined + 1, holder = null where id = $1 and joined = $2
    returning status, departed, expires_at, ${UNREACHABLE} as unreachable`,
};

/**
 * Explains why a decision about a pending request neither settled it nor counts, and audits a refusal: `same-owner`,
 * `not-eligible`, `passkey-removed`, `needs-passkey`, or `counted` if this person has given this verdict before. Parameters: id, status, actor
 * kind, actor id, signature of a passkey.
 */
export const EXPLAIN_REFUSAL: Statement = {
  name: 'approval-explain-refusal',
  withinMs: PERSON_WAITS_MS,
  text: `
  with asked as (
    select id, correlation_id, case
      when ${SAME_OWNER} then 'same-owner'
      when not ${MAY_DECIDE('$3', '$4')} then 'not-eligible'
      when not ${SIGNER_STANDS('$5::text')} then 'passkey-removed'
      when not ${VIA('$2::text', '$5::text')} then 'needs-passkey'
      when exists (select from decisions where approval_id = approvals.id and verdict = $2
        and ${ELIGIBLE_PERSON('by_kind', 'by_id')} = ${ELIGIBLE_PERSON('$3', '$4')}) then 'counted' end as why
    from approvals where id = $1 and ${STILL_PENDING}
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select ${NOW}, 'approval.decision-refused', $3 || ':' || $4, id, correlation_id,
      json_build_object('reason', why, 'decision', $2::text)::text
    from asked where why in ('same-owner', 'not-eligible', 'passkey-removed', 'needs-passkey')
  )
  select why from asked`,
};

/** Parameters: id, actor kind, actor id, the attempted ending, the reason of the refusal. */
export const NOTE_LATE: Statement = {
  name: 'approval-note-late',
  withinMs: PERSON_WAITS_MS,
  text: `
  insert into audit_log (at, type, actor, approval_id, correlation_id, data)
  select ${NOW}, case $4::text when 'cancelled' then 'approval.cancellation-refused' else 'approval.decision-refused' end,
    $2 || ':' || $3, id, correlation_id, json_build_object('reason', $5::text, 'decision', $4::text)::text
  from approvals where id = $1`,
};

/** Parameters: id, actor kind, actor id, reason, lanes. */
export const EXPLAIN: Statement = {
  name: 'approval-explain',
  withinMs: PERSON_WAITS_MS,
  text: `
  with explained as (
    update approvals set reason = $4
    where id = $1 and status = 'rejected' and settled_by_kind = $2 and settled_by_id = $3 and reason is null
    returning id, correlation_id, settled_by_kind || ':' || settled_by_id as actor, reason
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select ${NOW}, 'approval.explained', actor, id, correlation_id, json_build_object('reason', ${REASON})::text
    from explained
  ), decision as (
    update decisions set reason = $4 from explained
    where approval_id = explained.id and by_kind = $2 and by_id = $3
  ), outcome as (${requeueOutcomes({ of: 'explained', lanes: '$5', urgency: 'outcome' })}
  )
  select id from explained`,
};

/**
 * Parameters: id, key, outcome, lanes, the acknowledgements that it may replace. Its card edit has a lower priority than
 * cards and outcomes.
 */
export const ACKNOWLEDGE: Statement = {
  name: 'approval-acknowledge',
  withinMs: PERSON_WAITS_MS,
  text: `
  with told as (
    update approvals set acknowledged = $3
    where id = $1 and key_id = $2 and status <> 'pending'
      and (acknowledged is null or acknowledged = any($5::text[]))
    returning id, key_id, correlation_id, acknowledged
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select ${NOW}, 'approval.acknowledged', 'api:' || key_id, id, correlation_id,
      json_build_object('outcome', acknowledged)::text
    from told
  ), outcome as (${requeueOutcomes({ of: 'told', lanes: '$4', urgency: 'acknowledgement' })}
  )
  select id from told`,
};

/**
 * Takes the ids as an array, so that PostgreSQL finds each by the primary key. A join with a few hundred ids would read
 * the whole table for every batch, if PostgreSQL estimates that the table is small.
 */
const EXPIRE = (due: string, lanes: string) => `
  with due as (${due}), ended as (
    update approvals set status = 'expired', settled_at = ${NOW}, settled_by_kind = 'system',
      settled_by_id = 'timeout', settled_by_name = 'timeout'
    where id = any(array(select due_id from due))
    returning ${ENDED}
  ), ${AFTERMATH(lanes)}`;

/** Requests that expired by this moment are due: the grace period has passed since. */
const DUE_BY = `now() - make_interval(secs => $1)`;

/**
 * Due after a moment; null: due at all. A moment in the future was recorded before the clock was set back, and counts
 * as null.
 *
 * While an old snapshot is held, the index keeps an entry for everything that was ever pending. Without the moment,
 * each sweep would scan all of them.
 */
const DUE_AFTER = (after: string) => `status = 'pending' and expires_at <= ${DUE_BY}
  and expires_at > case when ${after}::timestamptz <= ${DUE_BY} then ${after} else '-infinity' end`;

/**
 * Parameters: grace in seconds, after. Takes no locks and skips none, so that rows locked by another replica count as
 * due.
 *
 * Selects the first row by time instead of `exists`. For `exists` PostgreSQL takes any index of pending rows, and scans
 * all of it where nothing is due.
 */
export const LOOK_FOR_DUE: Statement = {
  name: 'approval-look-for-due',
  text: `
  select (select expires_at from approvals where ${DUE_AFTER('$2')} order by expires_at limit 1) is not null as due,
    date_trunc('milliseconds', ${DUE_BY}) as until`,
};

/** Parameters: grace in seconds, limit, lanes, after. */
export const EXPIRE_DUE: Statement = {
  name: 'approval-expire-due',
  text: EXPIRE(
    `select id as due_id from approvals where ${DUE_AFTER('$4')}
     order by expires_at limit $2 for update skip locked`,
    '$3',
  ),
};

/** Locks in the order of the ids, so that two of these statements cannot deadlock. */
const OVERDUE = `select id as due_id from approvals where id = any($2::uuid[]) and ${STILL_PENDING}
     and expires_at <= now() - make_interval(secs => $1) order by id for update`;

/**
 * Parameters: grace in seconds, ids (one), lanes. Waits for a transaction that is ending the request, so that the
 * request is settled afterwards.
 */
export const EXPIRE_OVERDUE: Statement = {
  name: 'approval-expire-overdue',
  withinMs: PERSON_WAITS_MS,
  text: EXPIRE(OVERDUE, '$3'),
};

/** Parameters: grace in seconds, ids, lanes. Skips locked rows, so that one locked request does not delay the others. */
export const EXPIRE_OVERDUE_AND_FREE: Statement = {
  name: 'approval-expire-overdue-and-free',
  text: EXPIRE(`${OVERDUE} skip locked`, '$3'),
};

const RECEIPT = `(select jws from receipts where approval_id = approvals.id)`;

/** Length that holds the last two members of a request, each of at most 200 characters, all of them escaped. */
const END_OF_REQUEST = 4096;

/** Parameters: limit. Of the request text, which may be large, selects only the end, which names the tool. */
export const UNSIGNED: Statement = {
  name: 'approval-unsigned',
  text: `
  select id, key_id, owner, agent_id, session_id, right(request, ${END_OF_REQUEST}) as request, input_digest, status,
    settled_at, policy, ${SHOWN} as display_digest, ${RECEIPT} is not null as is_signed
  from approvals where status in ('expired', 'cancelled') and signed is null
  order by id limit $1 for no key update skip locked`,
};

/** Parameters: endings; those that had no receipt, and their receipts. */
export const SIGNED: Statement = {
  name: 'approval-signed',
  text: `
  with kept as (
    insert into receipts (approval_id, jws) select * from unnest($2::uuid[], $3::text[])
    on conflict (approval_id) do nothing
  )
  update approvals set signed = true where id = any($1::uuid[])`,
};

const ENDS_IN_MS = `(extract(epoch from expires_at - now()) * 1000)::float8 + 1000 * $1::float8 as ends_in_ms`;

/** Parameters: grace in seconds, id, reader as {@link FIND}. Leaves out the request text, which may be large. */
export const STATE: Statement = {
  name: 'approval-state',
  withinMs: PERSON_WAITS_MS,
  text: `select key_id, status, acknowledged, octet_length(request) as bytes, ${ENDS_IN_MS} from approvals
    where id = $2 and ${MAY_SEE('$3', '$4')}`,
};

/** Only for requests that people decide. For those that need several, with the people for whom they count. */
const DECISIONS = `case when required is not null or settled_by_kind in ('telegram', 'console', 'api') then (
    select json_agg(json_build_object('kind', by_kind, 'id', by_id, 'name', by_name, 'verdict', verdict, 'reason', reason,
      'at', decided_at, 'displayDigest', display_digest, 'signed', signed::json, 'person', case when required is not null
        then ${ELIGIBLE_PERSON('by_kind', 'by_id')} end) order by decided_at, by_kind, by_id)
    from decisions where approval_id = approvals.id) end as decisions`;

const snapshotWith = (
  approval: string,
) => `${approval}, now() as now, ${DECISIONS}, ${UNREACHABLE} as unreachable,
  case when status <> 'pending' then ${RECEIPT} end as receipt, ${ENDS_IN_MS}`;
const SNAPSHOT = snapshotWith(APPROVAL);

/** Selects the digest only of rows without a receipt. */
const TO_BE_SIGNED = `case when status = 'pending' or not exists ${RECEIPT} then ${SHOWN} end as display_digest`;

/** Parameters: grace in seconds, id; then the name of the person who reads (null: sees all), and whether they may be an admin. */
export const FIND: Statement = {
  name: 'approval-find',
  withinMs: PERSON_WAITS_MS,
  text: `select ${SNAPSHOT}, ${TO_BE_SIGNED} from approvals where id = $2 and ${MAY_SEE('$3', '$4')}`,
};

/**
 * Parameters: grace in seconds, ids of awaited requests. Leaves out the request text of pending ones: only the final
 * state is awaited.
 *
 * Hides the number of ids from PostgreSQL, which would otherwise plan every execution anew.
 */
export const LOOK: Statement = {
  name: 'approval-look',
  text: `select ${snapshotWith(approvalWith(`case when status <> 'pending' then request end as request`))}, ${TO_BE_SIGNED}
    from approvals where id = any((select $2::uuid[])::uuid[])`,
};

/** A page ends after this many bytes of requests: two hundred of the largest requests would be 50 MB in one answer. */
const PAGE_BYTES = 2 * 1024 * 1024;

const page = (name: string, from: string, limit: string): Statement => ({
  name,
  text: `
  select ${SNAPSHOT}, ${TO_BE_SIGNED}, listed::int from (
    select *, row_number() over newest as place, count(*) over () as listed,
      sum(octet_length(request)) over newest - octet_length(request) as bytes_before
    from (select ${APPROVAL} from approvals ${from}) as found
    window newest as (order by id desc)) as approvals
  where place <= ${limit} and bytes_before < ${PAGE_BYTES}
  order by id desc`,
});

/** Parameters: grace in seconds, ids, limit. The ids are one more than the limit if the list goes on. */
export const LIST_FOUND = page('approval-list-found', 'where id = any($2::uuid[])', '$3');

/**
 * Parameters: grace in seconds, key, status, agent, session, before id, limit, connector, account that may decide, its id, only claimed ones, reader as
 * {@link FIND}; null filters nothing.
 * `listed` counts one row beyond the limit: more than there are in the answer means that the list goes on.
 *
 * PostgreSQL does not read texts beyond the byte limit: it knows the length of a long text without them.
 */
export const LIST = page(
  'approval-list',
  `where ($2::text is null or key_id = $2) and ($3::text is null or status = $3)
        and ($4::text is null or agent_id = $4) and ($5::text is null or session_id = $5)
        and ($6::uuid is null or id < $6) and ($8::text is null or connector = $8)
        and ${MAY_SEE('$12', '$13')} and ($11::boolean is null or (claim ->> 'until')::timestamptz > now())
        and ($9::text is null or (${MAY_DECIDE('$9', '$10')} and not exists (select from decisions
          where approval_id = approvals.id and ((by_kind = $9 and by_id = $10)
            or ${ELIGIBLE_PERSON('by_kind', 'by_id')} = ${ELIGIBLE_PERSON('$9', '$10')}))))
      order by id desc limit $7::bigint + 1`,
  '$7',
);

/** With `connector =`, matches the predicate of `ix_approvals_open_calls`. */
const OPEN = `(status = 'pending' or (status = 'approved'
    and coalesce(acknowledged, '') not in ('ran', 'failed')))`;

/**
 * Parameters: session, key, two ends of the stored request, after id, connector; null ends: all that are pending. The
 * members of a request are sorted, so the text ends with the name of the tool and the id of its use.
 */
export const FIND_OPEN_CALLS: Statement = {
  name: 'approval-find-open-calls',
  text: `
  select ${APPROVAL} from (
    select *, sum(octet_length(request)) over oldest - octet_length(request) as bytes_before
    from (
      select ${APPROVAL} from approvals
      where session_id = $1 and key_id = $2 and connector = $6 and ${OPEN} and ($5::uuid is null or id > $5)
        and case when $3::text is null then status = 'pending'
          else right(request, length($3)) = $3 or right(request, length($4)) = $4 end
      order by id limit 200) as found
    window oldest as (order by id)) as approvals
  where bytes_before < ${PAGE_BYTES}
  order by id`,
};

/**
 * Parameters: key, id, session, reader as {@link FIND}. Reads a bounded end of `ix_approvals_own`: requests of a session before that have little
 * to do with this one.
 */
export const FIND_EARLIER: Statement = {
  name: 'approval-find-earlier',
  text: `
  select case when octet_length(request) <= 65536 then request end as request, status, acknowledged,
    case when settled_by_kind = 'policy' then settled_by_name end as rule
  from (select * from approvals where key_id = $1 and id < $2::uuid order by id desc limit 50) as approvals
  where session_id = $3 and ${MAY_SEE('$4', '$5')}
  order by id desc
  limit 3`,
};

/** Changes with whatever people do to a request that does not decide it, and with the policy that says who sees it. */
const MARK = `concat_ws(' ', expires_at, claim ->> 'at', claim ->> 'kind', case when required -> 'from' <> '[]' then (
    select active_version from policy_state) end) as mark`;

/** Parameter: the number of ids. The requests that end first come first. */
export const FIND_PENDING: Statement = {
  name: 'approval-find-pending',
  text: `select id, ${MARK} from approvals where status = 'pending' and expires_at > now() order by expires_at, id limit $1`,
};

/** Of each key an equal part, so that no key's requests hide those of others. For more requests than are asked for. */
export const FIND_PENDING_FAIRLY: Statement = {
  name: 'approval-find-pending-fairly',
  text: `with fair as (
    select id, expires_at, claim, required from (
      select id, expires_at, claim, required, row_number() over (partition by key_id order by expires_at, id) as nth
      from approvals where status = 'pending' and expires_at > now()
    ) each order by nth, expires_at, id limit $1
  ) select id, ${MARK} from fair order by expires_at, id`,
};

/** Parameter: id. */
export const FIND_READERS: Statement = {
  name: 'approval-find-readers',
  text: `select ${READERS} as readers from approvals where id = $1`,
};

/** Parameters: reader as {@link FIND}. */
export const SUMMARIZE_PENDING: Statement = {
  name: 'approval-summarize-pending',
  text: `select count(*)::int as pending, min(expires_at) as "nextExpiry" from approvals
    where status = 'pending' and expires_at > now() and ${MAY_SEE('$1', '$2')}`,
};
