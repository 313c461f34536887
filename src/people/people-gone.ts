import { requeueOutcomes } from '../outbox/outbox-work';

interface Parts {
  /** Name of the list with the activation (`at`); empty: nothing ends. */
  readonly of: string;
  /** Parameters: the document of the activated version, the version before, the actor and the lanes. */
  readonly document: string;
  readonly replaced: string;
  readonly actor: string;
  readonly lanes: string;
}

/** A list of the people of a document, as the table `people` has them. @param document parameter with its JSON */
export const PEOPLE_IN = (document: string): string => `
    select key as name, (value ->> 'telegram')::bigint as telegram,
      array(select json_array_elements_text(coalesce(value -> 'groups', '[]'))) as groups, lower(value ->> 'email') as email,
      value ->> 'subject' as subject
    from json_each(coalesce(${document}::json -> 'people', '{}'))`;

const IS_PRESENT = (person: string): string => `exists (select from present where present.name = ${person})`;

/** A version that names nobody leaves this to `TELEGRAM_OPERATORS` and the keys, and so removes nobody. */
const IS_GONE = (person: string): string => `exists (select from present) and not ${IS_PRESENT(person)}`;

/** The account of a decision still is that of its person. */
const KEEPS_ACCOUNT = `exists (select from present where present.name = undone.person and case
        when undone.by_kind = 'telegram' then present.telegram::text = undone.by_id
        when undone.by_id = 'oidc:' || undone.person
          then (present.email, present.subject) is not distinct from (undone.email, undone.subject)
        else true end)`;

/**
 * Locks the requests that several people decide, so that none of their decisions is under way: each either ends with its person,
 * or counts in a receipt. Runs before {@link LOCK_PASSKEYS_OF_GONE}, in the order in which a decision locks.
 *
 * @param condition without it nothing can end, and nothing is locked
 */
export const lockUndecided = (condition = 'true'): string => `
  select from approvals where status = 'pending' and required is not null and ${condition}
  order by id for no key update`;

/**
 * Locks the passkeys of the people whom a document does not name, so that no decision that they signed is under way. Runs before
 * {@link endPeopleGone} in its transaction. Parameters: the document.
 */
export const LOCK_PASSKEYS_OF_GONE = `
  with present as materialized (${PEOPLE_IN('$1')})
  select from passkeys where revoked_at is null and ${IS_GONE('person')} order by id for update`;

/**
 * Ends everything of the people whom an activated version does not name, and of accounts that it gives to nobody or to
 * somebody else, so that it does not begin again with a later version, for them or for somebody of the same name: sessions,
 * passkeys, invitations, proposals, overrides of a rota, claims, and decisions about pending requests. Keys stay: they are
 * revoked by hand. Skips requests that are locked at the moment: those that came after {@link lockUndecided}, and those that one
 * person decides, of which only a claim stays, for minutes.
 *
 * Part of a statement that has not changed the active version yet in the view of its own snapshot.
 */
export const endPeopleGone = ({ of, document, replaced, actor, lanes }: Parts): string => `
  present as materialized (${PEOPLE_IN(document)}
  ), sessions_gone as (
    delete from console_sessions using ${of}
    where exists (select from passkeys where passkeys.id = passkey_id and ${IS_GONE('passkeys.person')})
      or (oidc_person is not null and not exists (select from present where present.name = oidc_person
        and (present.subject = oidc_subject or (present.subject is null and present.email = oidc_email))))
  ), invites_gone as (
    delete from passkey_invites using ${of}
    where ${IS_GONE('person')} or (made_by like 'console:person:%' and ${IS_GONE('substr(made_by, 16)')})
  ), passkeys_gone as (
    update passkeys set revoked_at = at from ${of} where revoked_at is null and ${IS_GONE('person')}
    returning passkeys.id, person
  ), proposals_gone as (
    delete from policy_proposals using ${of}
    where approved_at is null and proposed_by like 'person:%' and ${IS_GONE('substr(proposed_by, 8)')}
    returning id, policy_proposals.version, substr(proposed_by, 8) as person
  ), overrides_gone as (
    delete from rota_overrides using ${of} where ${IS_GONE('person')} returning rota, person
  ), undone as materialized (
    select approval_id, by_kind, by_id, verdict, correlation_id, former.name as person, former.email, former.subject
    from ${of} cross join approvals join decisions on approval_id = approvals.id and status = 'pending'
      join people as former on former.version = ${replaced} and former.name = eligible_person(null, null, by_kind, by_id)
    where exists (select from present)
    for no key update of approvals skip locked
  ), decisions_gone as (
    delete from decisions using undone
    where decisions.approval_id = undone.approval_id and decisions.by_kind = undone.by_kind and decisions.by_id = undone.by_id
      and not ${KEEPS_ACCOUNT}
    returning undone.approval_id as id, correlation_id, undone.verdict, person, undone.by_kind || ':' || undone.by_id as account
  ), unclaimed as (
    update approvals set claim = null from ${of} where approvals.id = any(array(
      select id from approvals where status = 'pending' and claim ->> 'person' is not null and ${IS_GONE(`(claim ->> 'person')`)}
      for no key update skip locked))
    returning approvals.id
  ), changed as (
    select id from decisions_gone union select id from unclaimed order by id
  ), changed_shown as (${requeueOutcomes({ of: 'changed', lanes, urgency: 'outcome' })}
  ), gone_audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select at, type, ${actor}, ended.id, correlation_id, data::text from ${of} cross join (
      select 'passkey.revoked' as type, null::uuid as id, null as correlation_id,
        json_build_object('passkey', id, 'person', person, 'reason', 'person-removed') as data from passkeys_gone
      union all
      select 'policy.proposal-withdrawn', null, null,
        json_build_object('proposal', id, 'version', version, 'person', person, 'reason', 'person-removed') from proposals_gone
      union all
      select 'rota.override-ended', null, null,
        json_build_object('rota', rota, 'person', person, 'reason', 'person-removed') from overrides_gone
      union all
      select 'approval.taken-back', id, correlation_id, json_build_object('decision', verdict, 'of', account, 'reason',
        case when ${IS_PRESENT('person')} then 'account-removed' else 'person-removed' end) from decisions_gone
    ) as ended
  )`;
