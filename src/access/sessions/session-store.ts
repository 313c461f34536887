import { Injectable } from '@nestjs/common';
import { Database, PERSON_WAITS_MS, type Statement } from '../../database/database';
import { currentCorrelationId } from '../../logging/correlation';

const NOW = `date_trunc('milliseconds', now())`;

/** A session ends 12 hours after the sign-in, and 30 minutes after its last use. */
const LIVE = `created_at > now() - interval '12 hours' and used_at > now() - interval '30 minutes'`;

const audited = (type: string, from: string) => `
  insert into audit_log (at, type, actor, correlation_id, data)
  select ${NOW}, '${type}', $3, $4, '{}' from ${from}`;

/** Sessions of one key; the one that was used least recently makes room. */
const MAX_PER_KEY = 20;

/**
 * Parameters: digest of the session, digest of the key, actor, correlation id, digest of the page's secret, digest of the
 * session that the browser brought. Removes that one and ended sessions.
 */
const OPEN: Statement = {
  name: 'session-open',
  withinMs: PERSON_WAITS_MS,
  text: `
  with ended as (
    delete from console_sessions where not (${LIVE}) or digest = $6::bytea or digest in (
      select digest from console_sessions where key_digest = $2 order by used_at desc, created_at desc
      offset ${MAX_PER_KEY - 1})
  ),
  opened as (
    insert into console_sessions (digest, key_digest, page_digest, created_at, used_at)
    values ($1, $2, $5, ${NOW}, ${NOW})
    returning digest
  )
  ${audited('console.signed-in', 'opened')}`,
};

/**
 * Parameters: digest of the session, whether this is a use of it. Writes a use at most once a minute, so that a page
 * costs few writes.
 */
const FIND: Statement = {
  name: 'session-find',
  withinMs: PERSON_WAITS_MS,
  text: `
  with used as (
    update console_sessions set used_at = ${NOW}
    where digest = $1 and $2 and used_at < now() - interval '1 minute' and ${LIVE}
  )
  select key_digest as "keyDigest", page_digest as "pageDigest" from console_sessions where digest = $1 and ${LIVE}`,
};

/** Parameters: digest of the session, digest of the key, actor, correlation id, whether all sessions of the key end. */
const CLOSE: Statement = {
  name: 'session-close',
  withinMs: PERSON_WAITS_MS,
  text: `
  with closed as (
    delete from console_sessions where key_digest = $2 and ($5 or digest = $1) returning digest
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
  constructor(private readonly database: Database) {}

  /** @param brought digest of the session that the browser had before, which ends */
  async open(signIn: SignIn, pageDigest: Buffer, brought: Buffer | null): Promise<void> {
    await this.database.query(OPEN, [...valuesOf(signIn), pageDigest, brought]);
  }

  /** @param isEverywhere ends all sessions of the key */
  async close(signIn: SignIn, isEverywhere: boolean): Promise<void> {
    await this.database.query(CLOSE, [...valuesOf(signIn), isEverywhere]);
  }

  /** @returns null: there is no such session, or it has ended */
  async find(digest: Buffer, isUse: boolean): Promise<StoredSession | null> {
    const [found] = await this.database.query<StoredSession>(FIND, [digest, isUse]);
    return found ?? null;
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
