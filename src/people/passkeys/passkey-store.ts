import { Injectable } from '@nestjs/common';
import { KNOWN_PERSON } from '../../access/known-person';
import { Database, PERSON_WAITS_MS, type Query, type Statement } from '../../database/database';
import type { News } from '../../kernel/announcement';
import { currentCorrelationId } from '../../logging/correlation';
import { announce, requeueOutcomes } from '../../outbox/outbox-work';
import { SIGNER } from '../eligible';
import { PasskeyEntity } from './passkey.entities';

const NOW = `date_trunc('milliseconds', now())`;

/** Challenges of one subject that wait for a signature; the oldest makes room. */
const MAX_WAITING = 20;

/** Parameters: digest, person, whether it is the first passkey, actor, correlation id, `TELEGRAM_OPERATORS`. */
const INVITE: Statement = {
  name: 'passkey-invite',
  withinMs: PERSON_WAITS_MS,
  text: `
  with ended as (delete from passkey_invites where expires_at <= now()),
  known as (
    select ${KNOWN_PERSON('$2', '$6')} as is_known, exists (select from passkeys where person = $2) as has_had
  ), invited as (
    insert into passkey_invites (digest, person, is_first, made_by, expires_at)
    select $1, $2, $3, $4, ${NOW} + interval '15 minutes' from known where is_known and $3::boolean <> has_had
    returning person
  ), audited as (
    insert into audit_log (at, type, actor, correlation_id, data)
    select ${NOW}, 'passkey.invited', $4, $5, json_build_object('person', person, 'first', $3::boolean)::text from invited
  )
  select case when not is_known then 'unknown' when $3::boolean <> has_had then 'invited'
    when has_had then 'has-one' else 'has-none' end as result
  from known`,
};

/** Parameters: digest of the invitation, nonce, purpose. The invitation is used up. */
const USE_INVITE: Statement = {
  name: 'passkey-use-invite',
  withinMs: PERSON_WAITS_MS,
  text: `
  with used as (delete from passkey_invites where digest = $1 returning person, is_first, made_by, expires_at)
  insert into passkey_challenges (nonce, purpose, subject, expires_at)
  select $2, $3, json_build_object('person', person, 'isFirst', is_first, 'madeBy', made_by)::text,
    ${NOW} + interval '5 minutes'
  from used where expires_at > now()
  returning subject`,
};

/** Parameters: nonce, purpose, subject. */
const CHALLENGE: Statement = {
  name: 'passkey-challenge',
  withinMs: PERSON_WAITS_MS,
  text: `
  with ended as (
    delete from passkey_challenges where expires_at <= now() or ($3 <> '{}' and nonce in (
      select nonce from passkey_challenges where purpose = $2 and subject = $3 order by expires_at desc
      offset ${MAX_WAITING - 1}))
  )
  insert into passkey_challenges (nonce, purpose, subject, expires_at)
  values ($1, $2, $3, ${NOW} + interval '5 minutes')`,
};

/** Parameters: nonce, purpose. */
const TAKE_CHALLENGE: Statement = {
  name: 'passkey-take-challenge',
  withinMs: PERSON_WAITS_MS,
  text: `
  with taken as (delete from passkey_challenges where nonce = $1 and purpose = $2 returning subject, expires_at)
  select subject from taken where expires_at > now()`,
};

/**
 * Parameters: id, person, public key, counter, whether it is the first, inviter, actor, correlation id, lanes, news,
 * `TELEGRAM_OPERATORS`, the passkey that consented. A unique index lets one of two first passkeys win.
 */
const ENROL: Statement = {
  name: 'passkey-enrol',
  withinMs: PERSON_WAITS_MS,
  text: `
  with added as (
    insert into passkeys (id, person, public_key, counter, is_first, made_by, created_at)
    select $1, $2, $3, $4, $5, $6, ${NOW}
    where ${KNOWN_PERSON('$2', '$11')} and not ($5::boolean and exists (select from passkeys where person = $2))
      and ($6 <> $7 or exists (select from (
        select from passkeys where id = $12 and person = $2 and revoked_at is null for share) as consenting))
    on conflict do nothing
    returning id, created_at
  ), audited as (
    insert into audit_log (at, type, actor, correlation_id, data)
    select created_at, 'passkey.made', $7, $8,
      json_build_object('passkey', id, 'person', $2::text, 'first', $5::boolean, 'invitedBy', $6::text)::text
    from added
  ), announced as (${announce({ of: 'added', lanes: '$9', news: '$10::jsonb' })}
  )
  select id from added`,
};

/** Parameters: id, counter that was verified, `TELEGRAM_OPERATORS`. Of two uses with one count, one fails. */
const USE: Statement = {
  name: 'passkey-use',
  withinMs: PERSON_WAITS_MS,
  text: `
  update passkeys set used_at = ${NOW}, counter = $2
  where id = $1 and revoked_at is null and (counter < $2::bigint or (counter = 0 and $2 = 0))
    and ${KNOWN_PERSON('person', '$3')}
  returning id`,
};

/**
 * Locks all passkeys of the person, so that no decision of theirs is under way, and two removals cannot deadlock. Parameters: id.
 */
const LOCK: Statement = {
  name: 'passkey-lock',
  text: `
  select from passkeys where person = (select person from passkeys where id = $1) order by id for update`,
};

/**
 * Runs after {@link LOCK} in its transaction. Parameters: id, actor, correlation id, lanes, news. With the passkey end its sessions;
 * of the account of its person, for a thief may have used it: the decisions about what is pending, except those that another
 * passkey signed, the grants, the proposals of a policy, and the invitations and enrolments that it began.
 */
const REVOKE: Statement = {
  name: 'passkey-revoke',
  text: `
  with revoked as (
    update passkeys set revoked_at = ${NOW} where id = $1 and revoked_at is null returning id, person, revoked_at
  ), ended as (
    delete from console_sessions where passkey_id in (select id from revoked)
  ), undecided as (
    delete from decisions using revoked, approvals
    where approvals.id = approval_id and approvals.status = 'pending'
      and by_kind = 'console' and by_id = 'person:' || person
      and coalesce(${SIGNER('decisions.signed')}, revoked.id) = revoked.id
    returning approvals.id, correlation_id, verdict, by_kind || ':' || by_id as account, revoked_at
  ), undecided_audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select revoked_at, 'approval.taken-back', $2, id, correlation_id,
      json_build_object('decision', verdict, 'of', account, 'reason', 'passkey-removed')::text
    from undecided order by id
  ), reopened as (
    select id from undecided order by id
  ), shown as (${requeueOutcomes({ of: 'reopened', lanes: '$4', urgency: 'outcome' })}
  ), ungranted as (
    update grants set revoked_at = revoked.revoked_at, revoked_by = $2, revoked_why = 'passkey'
    from revoked
    where made_by_kind = 'console' and made_by_id = 'person:' || person
      and grants.revoked_at is null and expires_at > now()
    returning grants.id, approval_id, grants.revoked_at, revoked_why
  ), ungranted_audited as (
    insert into audit_log (at, type, actor, approval_id, data)
    select revoked_at, 'grant.revoked', $2, approval_id, json_build_object('grant', id, 'cause', revoked_why)::text
    from ungranted
  ), uninvited as (
    delete from passkey_invites using revoked where passkey_invites.made_by = 'console:person:' || revoked.person
  ), unproposed as (
    delete from policy_proposals using revoked where approved_at is null and proposed_by = 'person:' || revoked.person
    returning policy_proposals.id, version, revoked.person, revoked_at
  ), unproposed_audited as (
    insert into audit_log (at, type, actor, correlation_id, data)
    select revoked_at, 'policy.proposal-withdrawn', $2, $3, json_build_object('proposal', id, 'version', version,
      'person', person, 'reason', 'passkey-removed')::text
    from unproposed
  ), unbegun as (
    delete from passkey_challenges using revoked where subject::json ->> 'madeBy' = 'console:person:' || revoked.person
  ), audited as (
    insert into audit_log (at, type, actor, correlation_id, data)
    select revoked_at, 'passkey.revoked', $2, $3, json_build_object('passkey', id, 'person', person)::text from revoked
  ), announced as (${announce({ of: 'revoked', lanes: '$4', news: '$5::jsonb' })}
  )
  select id from revoked`,
};

export type Passkey = Readonly<PasskeyEntity>;

/** The passkey that an enrolment makes. */
export interface Enrolment {
  readonly person: string;
  /** True: only for a person who never had one. */
  readonly isFirst: boolean;
  /** The one who invited; the account of the person, who adds one. */
  readonly madeBy: string;
  /** The passkey with which the person adds one; absent for an invitation. */
  readonly consentBy?: string;
}

export interface NewPasskey extends Enrolment {
  readonly id: string;
  readonly publicKey: Uint8Array;
  readonly counter: number;
}

/** `unknown`: nobody knows such a person. `has-one`: the person has, or had, a passkey; `has-none`: never. */
export type Invited = 'invited' | 'unknown' | 'has-one' | 'has-none';

/** The actor for the audit log, and the lanes with the chats that learn of it. */
export interface Teller {
  readonly actor: string;
  readonly lanes: readonly string[];
}

/** The tables of passkeys, invitations and challenges; times are the database's. */
@Injectable()
export class PasskeyStore {
  constructor(private readonly database: Database) {}

  /** @param operators names of `TELEGRAM_OPERATORS` */
  async invite(
    digest: Buffer,
    { person, isFirst, madeBy }: Enrolment,
    operators: readonly string[],
  ): Promise<Invited> {
    const values = [digest, person, isFirst, madeBy, currentCorrelationId() ?? null, operators];
    const [row] = await this.database.query<{ result: Invited }>(INVITE, values);
    return row?.result ?? 'unknown';
  }

  /** Uses the invitation up, and keeps what it allows under the nonce. @returns null: it is not valid any more */
  async useInvite(digest: Buffer, nonce: string, purpose: string): Promise<Enrolment | null> {
    const [row] = await this.database.query<{ subject: string }>(USE_INVITE, [digest, nonce, purpose]);
    return row ? (JSON.parse(row.subject) as Enrolment) : null;
  }

  /** @param subject JSON of what the signature is about */
  async challenge(nonce: string, purpose: string, subject: object): Promise<void> {
    await this.database.query(CHALLENGE, [nonce, purpose, JSON.stringify(subject)]);
  }

  /** Uses the challenge up. @returns its subject; null: it was used, is too old, or never was */
  async takeChallenge<Subject>(nonce: string, purpose: string): Promise<Subject | null> {
    const [row] = await this.database.query<{ subject: string }>(TAKE_CHALLENGE, [nonce, purpose]);
    return row ? (JSON.parse(row.subject) as Subject) : null;
  }

  /** @returns false: it is not allowed any more, or the credential is known already */
  async enrol(
    { id, person, publicKey, counter, isFirst, madeBy, consentBy }: NewPasskey,
    { actor, lanes }: Teller,
    news: News,
    operators: readonly string[],
  ): Promise<boolean> {
    const values = [id, person, Buffer.from(publicKey), counter, isFirst, madeBy, actor];
    const more = [currentCorrelationId() ?? null, lanes, JSON.stringify(news), operators, consentBy ?? null];
    return (await this.database.query(ENROL, [...values, ...more])).length > 0;
  }

  /** Records a use. @returns false: it was revoked, its person is gone, or its counter went back */
  async use(id: string, counter: number, operators: readonly string[]): Promise<boolean> {
    return (await this.database.query(USE, [id, counter, operators])).length > 0;
  }

  find(id: string): Promise<Passkey | null> {
    return this.database.rows(PasskeyEntity, (rows) => rows.findOneBy({ id }));
  }

  /** All passkeys, also the revoked ones, the earliest first. */
  list(): Promise<Passkey[]> {
    return this.database.rows(PasskeyEntity, (rows) => rows.find({ order: { createdAt: 'asc', id: 'asc' } }));
  }

  /** @returns false: there is none, or it was revoked before */
  async revoke(id: string, { actor, lanes }: Teller, news: News): Promise<boolean> {
    const values = [id, actor, currentCorrelationId() ?? null, lanes, JSON.stringify(news)];
    const work = async (query: Query) => {
      await query(LOCK, [id]);
      return query(REVOKE, values);
    };
    return (await this.database.transaction(work, PERSON_WAITS_MS)).length > 0;
  }
}
