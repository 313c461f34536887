import { Injectable } from '@nestjs/common';
import { parseColumnText, toColumnText } from '../../database/column-text';
import { Database, PERSON_WAITS_MS, type Statement } from '../../database/database';
import { auditName, type Actor, type NamedActor } from '../../kernel/actor';
import type { News } from '../../kernel/announcement';
import { Lanes } from '../../outbox/lanes';
import { announce } from '../../outbox/outbox-work';
import type { Scope } from './scope';

/** PostgreSQL channel that notifies every replica of a new or revoked grant. */
export const GRANTS_CHANNEL = 'grants_changed';

/** More open grants of one key than these are nobody's overview, and each is tried for the requests of its session. */
export const MAX_OPEN_OF_KEY = 50;
/** The newest are used; the others ask. */
const MAX_OPEN = 5_000;

/** A rule with an end that a person made from a card. */
export interface Grant {
  readonly id: string;
  readonly keyId: string;
  /** The session whose requests it answers; null: those of any session in {@link cwd}. */
  readonly sessionId: string | null;
  readonly cwd: string | null;
  readonly tool: string;
  readonly scope: Scope;
  /** The scope as its maker read it. */
  readonly words: string;
  readonly by: NamedActor;
  /** The version under which it was made, and which must be active; null: none was. */
  readonly policyVersion: string | null;
  readonly madeAt: Date;
  readonly expiresAt: Date;
  readonly uses: number;
  /** Null: as many as there is time for. */
  readonly maxUses: number | null;
  /** True if it was used faster than the operators allow, in the last hour. */
  readonly isAlarming: boolean;
}

const NOW = `date_trunc('milliseconds', now())`;

/** An alarm about a grant stands for this time, in which the operators are not told again. */
export const ALARM_LASTS = `interval '1 hour'`;

/** Not revoked, not past its time, not used up. */
export const IS_OPEN = `revoked_at is null and expires_at > now() and (max_uses is null or uses < max_uses)`;

/**
 * CTEs that revoke the open grants of a condition, with an audit row for each. `by`: SQL of the actor, as the audit log
 * names it. A trigger notifies the replicas. Triggers revoke those of a rejection and of another policy version.
 */
const revokeGrants = (where: string, cause: 'revoked' | 'session', by: string) => `
  revoked as (
    update grants set revoked_at = ${NOW}, revoked_by = ${by}, revoked_why = '${cause}'
    where revoked_at is null and expires_at > now() and (${where})
    returning id, approval_id, revoked_at, revoked_by, revoked_why, words, uses
  ), revocation_audited as (
    insert into audit_log (at, type, actor, approval_id, data)
    select revoked_at, 'grant.revoked', revoked_by, approval_id,
      json_build_object('grant', id, 'cause', revoked_why)::text
    from revoked
  )`;

const OPEN: Statement = {
  name: 'grants-open',
  text: `
  select id, key_id, session_id, cwd, tool, scope, words, made_by_kind, made_by_id, made_by_name, policy_version, made_at,
    expires_at, uses, max_uses, coalesce(alarmed_at > now() - ${ALARM_LASTS}, false) as is_alarming
  from grants where ${IS_OPEN} order by id desc limit ${MAX_OPEN}`,
};

/** Parameters: id, actor, lanes, news. */
const REVOKE: Statement = {
  name: 'grant-revoke',
  withinMs: PERSON_WAITS_MS,
  text: `
  with ${revokeGrants('id = $1', 'revoked', '$2')}, announced as (${announce({
    of: 'revoked',
    lanes: '$3',
    news: `$4::jsonb || jsonb_build_object('scope', words, 'uses', uses)`,
  })}
  )
  select id from revoked`,
};

/** Parameters: key, session. */
const END_SESSION: Statement = {
  name: 'grants-end-session',
  text: `with ${revokeGrants('key_id = $1 and session_id = $2', 'session', `'api:' || $1`)} select id from revoked`,
};

interface GrantRow {
  readonly id: string;
  readonly key_id: string;
  readonly session_id: string;
  readonly cwd: string | null;
  readonly tool: string;
  readonly scope: string;
  readonly words: string;
  readonly made_by_kind: NamedActor['kind'];
  readonly made_by_id: string;
  readonly made_by_name: string;
  readonly policy_version: string | null;
  readonly made_at: Date;
  readonly expires_at: Date;
  readonly uses: number;
  readonly max_uses: number | null;
  readonly is_alarming: boolean;
}

@Injectable()
export class GrantStore {
  constructor(
    private readonly database: Database,
    private readonly lanes: Lanes,
  ) {}

  /** The grants that may still be used, newest first. */
  async open(): Promise<Grant[]> {
    return (await this.database.query<GrantRow & Record<string, unknown>>(OPEN, [])).map(toGrant);
  }

  /** @returns true if the grant was open. */
  async revoke(id: string, by: Actor): Promise<boolean> {
    const news = { event: 'grant-revoked', by } satisfies Partial<News>;
    const values = [id, auditName(by), this.lanes.current, JSON.stringify(news)];
    return (await this.database.query(REVOKE, values)).length > 0;
  }

  /** Revokes the open grants of a session. */
  async endSession(keyId: string, sessionId: string): Promise<void> {
    await this.database.query(END_SESSION, [keyId, toColumnText(sessionId)]);
  }
}

const toGrant = (row: GrantRow): Grant => ({
  id: row.id,
  keyId: row.key_id,
  sessionId: row.cwd === null ? parseColumnText(row.session_id) : null,
  cwd: row.cwd === null ? null : parseColumnText(row.cwd),
  tool: parseColumnText(row.tool),
  scope: JSON.parse(row.scope) as Scope,
  words: row.words,
  by: { kind: row.made_by_kind, id: row.made_by_id, name: row.made_by_name },
  policyVersion: row.policy_version,
  madeAt: row.made_at,
  expiresAt: row.expires_at,
  uses: row.uses,
  maxUses: row.max_uses,
  isAlarming: row.is_alarming,
});
