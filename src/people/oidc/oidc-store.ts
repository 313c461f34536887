import { Injectable } from '@nestjs/common';
import { PEOPLE_WITH_ACCOUNT, type OidcAccount } from '../../access/oidc-account';
import { Database, PERSON_WAITS_MS, type Statement } from '../../database/database';
import { Lanes } from '../../outbox/lanes';
import { requeueOutcomes } from '../../outbox/outbox-work';
import { lockUndecided } from '../people-gone';

const NOW = `date_trunc('milliseconds', now())`;

/** Parameters: digests of state and of the browser's cookie, nonce, code verifier. */
const BEGIN: Statement = {
  name: 'oidc-begin',
  withinMs: PERSON_WAITS_MS,
  text: `
  with ended as (delete from oidc_sign_ins where expires_at <= now())
  insert into oidc_sign_ins (state_digest, browser_digest, nonce, code_verifier, expires_at)
  values ($1, $2, $3, $4, ${NOW} + interval '10 minutes')`,
};

/** Parameters: digests of state and of the browser's cookie. Another browser uses nothing up. */
const TAKE: Statement = {
  name: 'oidc-take',
  withinMs: PERSON_WAITS_MS,
  text: `
  with taken as (
    delete from oidc_sign_ins where state_digest = $1 and browser_digest = $2
    returning nonce, code_verifier, expires_at
  )
  select nonce, code_verifier as "codeVerifier" from taken where expires_at > now()`,
};

/** Parameters: subject, e-mail. */
const FIND_PEOPLE: Statement = {
  name: 'oidc-find-people',
  withinMs: PERSON_WAITS_MS,
  text: PEOPLE_WITH_ACCOUNT('$1::text', '$2::text'),
};

/** Parameters: issuer, or null. */
const LOCK_PENDING: Statement = {
  name: 'oidc-lock-pending',
  text: lockUndecided('exists (select from oidc_provider where issuer is distinct from $1)'),
};

/**
 * Parameters: issuer, or null; lanes. If another one was there before, ends the sessions of its accounts, and their decisions about
 * pending requests. Replicas that still have the other one open no session that any replica accepts. Runs after
 * {@link LOCK_PENDING} in its transaction.
 */
const HAVE_PROVIDER: Statement = {
  name: 'oidc-have-provider',
  text: `
  with replaced as (
    update oidc_provider set issuer = $1 where issuer is distinct from $1 returning ${NOW} as at
  ), ended as (
    delete from console_sessions using replaced where oidc_person is not null returning digest
  ), undone as materialized (
    select approvals.id, correlation_id, by_kind, by_id, at
    from replaced cross join approvals join decisions on approval_id = approvals.id and approvals.status = 'pending'
    where by_kind = 'console' and by_id like 'oidc:%'
    for no key update of approvals skip locked
  ), undecided as (
    delete from decisions using undone
    where approval_id = undone.id and decisions.by_kind = undone.by_kind and decisions.by_id = undone.by_id
    returning undone.id, correlation_id, verdict, undone.by_kind || ':' || undone.by_id as account, at
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select at, 'approval.taken-back', 'system:oidc', id, correlation_id,
      json_build_object('decision', verdict, 'of', account, 'reason', 'provider-replaced')::text
    from undecided order by id
  ), reopened as (
    select distinct id from undecided order by id
  ), shown as (${requeueOutcomes({ of: 'reopened', lanes: '$2', urgency: 'outcome' })}
  )
  select (select count(*)::int from ended) as sessions, (select count(*)::int from undecided) as decisions from replaced`,
};

/** The number of things that ended with the provider before. */
export interface ReplacedProvider {
  readonly sessions: number;
  readonly decisions: number;
}

/** A sign-in that has begun. */
export interface BegunSignIn {
  readonly nonce: string;
  readonly codeVerifier: string;
}

/** The table of sign-ins at the OpenID provider; times are the database's. */
@Injectable()
export class OidcStore {
  constructor(
    private readonly database: Database,
    private readonly lanes: Lanes,
  ) {}

  /** @param issuer null: there is no provider. @returns null: it was this one before */
  async haveProvider(issuer: string | null): Promise<ReplacedProvider | null> {
    const values = [issuer, this.lanes.current];
    const [replaced] = await this.database.transaction(async (query) => {
      await query(LOCK_PENDING, [issuer]);
      return query<ReplacedProvider>(HAVE_PROVIDER, values);
    });
    return replaced ?? null;
  }

  async begin(state: Buffer, browser: Buffer, { nonce, codeVerifier }: BegunSignIn): Promise<void> {
    await this.database.query(BEGIN, [state, browser, nonce, codeVerifier]);
  }

  /** Uses the sign-in up. @returns null: it was used, is too old, or another browser began it */
  async take(state: Buffer, browser: Buffer): Promise<BegunSignIn | null> {
    const [taken] = await this.database.query<BegunSignIn>(TAKE, [state, browser]);
    return taken ?? null;
  }

  /** Name of the one person of the active policy who has the account; null: nobody, or several. */
  async findPerson({ subject, email }: OidcAccount): Promise<string | null> {
    const found = await this.database.query<{ person: string }>(FIND_PEOPLE, [subject, email]);
    return found.length === 1 ? (found[0]?.person ?? null) : null;
  }
}
