import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../config/environment';
import { Database, PERSON_WAITS_MS, type Statement } from '../../database/database';
import { currentCorrelationId } from '../../logging/correlation';
import { KNOWN_PERSON, operatorNames } from '../known-person';
import { HOLDS_ACCOUNT, type OidcAccount } from '../oidc-account';

const NOW = `date_trunc('milliseconds', now())`;

/** A session ends 12 hours after the sign-in, and 30 minutes after its last use. */
const LIVE_OF = (table: string): string =>
  `${table}.created_at > now() - interval '12 hours' and ${table}.used_at > now() - interval '30 minutes'`;
const LIVE = LIVE_OF('console_sessions');

const audited = (type: string, from: string, data = `'{}'`) => `
  insert into audit_log (at, type, actor, correlation_id, data)
  select ${NOW}, '${type}', $3, $4, ${data} from ${from}`;

/** Sessions of one key, passkey or person of the provider; the one that was used least recently makes room. */
const MAX_PER_HOLDER = 20;

/** The account at the provider, so that the log names the one that acted. */
const ACCOUNT = `case when oidc_person is null then '{}' else json_build_object('person', oidc_person,
    'issuer', oidc_issuer, 'subject', oidc_subject, 'email', oidc_email)::text end`;

/**
 * Parameters: digest of the session, digest of the key, actor, correlation id, digest of the page's secret, digest of the
 * session that the browser brought, passkey; person, subject and e-mail at the OpenID provider, and its
 * issuer. Removes that one and ended sessions.
 */
const OPEN: Statement = {
  name: 'session-open',
  withinMs: PERSON_WAITS_MS,
  text: `
  with ended as (
    delete from console_sessions where not (${LIVE}) or digest = $6::bytea or digest in (
      select digest from console_sessions where key_digest = $2 or passkey_id = $7 or oidc_person = $8
      order by used_at desc, created_at desc
      offset ${MAX_PER_HOLDER - 1})
  ),
  opened as (
    insert into console_sessions (digest, key_digest, page_digest, created_at, used_at, passkey_id, oidc_person,
      oidc_subject, oidc_email, oidc_issuer)
    values ($1, $2, $5, ${NOW}, ${NOW}, $7, $8, $9, $10, $11)
    returning *
  )
  ${audited('console.signed-in', 'opened', ACCOUNT)}`,
};

/** A session of a passkey ends with it, and with its person; one of the OpenID provider with that provider, and when the policy names its account no more. */
const OF_HOLDER = (operators: string): string =>
  `(passkey_id is null or (k.revoked_at is null and ${KNOWN_PERSON('k.person', operators)}))
  and (s.oidc_person is null
    or (s.oidc_issuer = (select issuer from oidc_provider) and ${HOLDS_ACCOUNT('s')}))`;

/**
 * Parameters: digest of the session, whether this is a use of it, `TELEGRAM_OPERATORS`. Writes a use at most once a minute, so
 * that a page costs few writes.
 */
const FIND: Statement = {
  name: 'session-find',
  withinMs: PERSON_WAITS_MS,
  text: `
  with used as (
    update console_sessions set used_at = ${NOW}
    where digest = $1 and $2 and used_at < now() - interval '1 minute' and ${LIVE}
  )
  select key_digest as "keyDigest", page_digest as "pageDigest", k.person, oidc_person as "oidcPerson"
  from console_sessions s left join passkeys k on k.id = s.passkey_id
  where digest = $1 and ${LIVE_OF('s')} and ${OF_HOLDER('$3')}`,
};

/** Parameters: digests of sessions, `TELEGRAM_OPERATORS`. */
const FIND_LIVE: Statement = {
  name: 'session-find-live',
  text: `
  select digest from console_sessions s left join passkeys k on k.id = s.passkey_id
  where digest = any($1::bytea[]) and ${LIVE_OF('s')} and ${OF_HOLDER('$2')}`,
};

/** Parameters: digest of the session, digest of the key, actor, correlation id, whether all sessions of the holder end, person. */
const CLOSE: Statement = {
  name: 'session-close',
  withinMs: PERSON_WAITS_MS,
  text: `
  with closed as (
    delete from console_sessions
    where (key_digest = $2 or oidc_person = $6 or passkey_id in (select id from passkeys where person = $6)) and ($5 or digest = $1)
    returning digest
  )
  ${audited('console.signed-out', 'closed')}`,
};

/** Parameters: digest of the link, digest of the key, actor, correlation id. */
const ADD_LINK: Statement = {
  name: 'session-add-link',
  withinMs: PERSON_WAITS_MS,
  text: `
  with ended as (delete from console_links where expires_at <= now()),
  added as (
    insert into console_links (digest, key_digest, expires_at) values ($1, $2, ${NOW} + interval '15 minutes')
    returning digest
  )
  ${audited('console.link-made', 'added')}`,
};

const USE_LINK: Statement = {
  name: 'session-use-link',
  withinMs: PERSON_WAITS_MS,
  text: `
  with used as (delete from console_links where digest = $1 returning key_digest, expires_at)
  select key_digest as "keyDigest" from used where expires_at > now()`,
};

/** Digests of a secret of the browser and of the key for which it stands, and the key's holder for the audit log. */
export interface SignIn {
  readonly digest: Buffer;
  readonly keyDigest: Buffer;
  readonly actor: string;
}

/** A session as it is stored; digests of its key and of the secret of its page. */
export interface StoredSession {
  readonly keyDigest: Buffer;
  readonly pageDigest: Buffer;
  /** The person whose passkey signed in; null: nobody's. */
  readonly person: string | null;
  /** The person who signed in at the OpenID provider; null: nobody. */
  readonly oidcPerson: string | null;
}

/** The holder of a session; all null: the one of the key. */
export interface Holder {
  readonly passkeyId: string | null;
  readonly oidc: (OidcAccount & { readonly person: string }) | null;
}

const valuesOf = ({ digest, keyDigest, actor }: SignIn) => [
  digest,
  keyDigest,
  actor,
  currentCorrelationId() ?? null,
];

/** The tables of sessions and of links that open one; times are the database's. */
@Injectable()
export class SessionStore {
  private readonly operators: readonly string[];
  private readonly issuer: string | null;

  constructor(
    private readonly database: Database,
    @Inject(CONFIG) config: Config,
  ) {
    this.operators = operatorNames(config);
    this.issuer = config.oidc?.issuer ?? null;
  }

  /**
   * @param brought digest of the session that the browser had before, which ends
   */
  async open(
    signIn: SignIn,
    pageDigest: Buffer,
    brought: Buffer | null,
    { passkeyId, oidc }: Holder,
  ): Promise<void> {
    const account = oidc ? [oidc.person, oidc.subject, oidc.email, this.issuer] : [null, null, null, null];
    await this.database.query(OPEN, [...valuesOf(signIn), pageDigest, brought, passkeyId, ...account]);
  }

  /**
   * @param isEverywhere ends all sessions of the holder
   * @param person null: it stands for the key
   */
  async close(signIn: SignIn, isEverywhere: boolean, person: string | null): Promise<void> {
    await this.database.query(CLOSE, [...valuesOf(signIn), isEverywhere, person]);
  }

  /** @returns null: there is no such session, or it has ended */
  async find(digest: Buffer, isUse: boolean): Promise<StoredSession | null> {
    const [found] = await this.database.query<StoredSession>(FIND, [digest, isUse, this.operators]);
    return found ?? null;
  }

  /** Digests of those of the sessions that have not ended. */
  async findLive(digests: readonly Buffer[]): Promise<readonly Buffer[]> {
    const rows = await this.database.query<{ digest: Buffer }>(FIND_LIVE, [digests, this.operators]);
    return rows.map(({ digest }) => digest);
  }

  async addLink(link: SignIn): Promise<void> {
    await this.database.query(ADD_LINK, valuesOf(link));
  }

  /** Uses the link up. @returns the digest of its key; null: it was used, is too old, or never was */
  async useLink(digest: Buffer): Promise<Buffer | null> {
    const [used] = await this.database.query<{ keyDigest: Buffer }>(USE_LINK, [digest]);
    return used?.keyDigest ?? null;
  }
}
