import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database/database';
import { auditName, type Actor } from '../kernel/actor';
import type { News, PolicyChange } from '../kernel/announcement';
import { Lanes } from '../outbox/lanes';
import { announce } from '../outbox/outbox-work';
import { endPeopleGone, LOCK_PASSKEYS_OF_GONE, lockUndecided } from '../people/people-gone';
import { PolicyVersionEntity } from './policy.entities';

/** A version of the policy document. */
export type PolicyVersion = Readonly<PolicyVersionEntity>;

/** PostgreSQL channel that notifies every replica of a change of the policy's state. */
export const POLICY_CHANNEL = 'policy_changed';

/** A heartbeat older than this is of a replica that runs no more; a replica writes one every two seconds. */
const LIVE = `interval '10 seconds'`;

const NOW = `date_trunc('milliseconds', now())`;

/** The active version, and whether its rules that allow are stopped. */
export interface PolicyState {
  /** Null: no policy was ever applied. */
  readonly version: string | null;
  readonly stopped: { readonly at: Date; readonly by: string } | null;
}

/** A version that was active, newest first. */
export interface Activation {
  readonly version: string;
  readonly cause: 'apply' | 'rollback' | 'file';
  readonly by: string;
  readonly appliedAt: Date;
}

/** The change of the active version. */
export interface Change {
  /** The version that must be active; null: none may be. */
  readonly replaces: string | null;
  readonly version: string;
  /** RFC 8785 text of the document. */
  readonly document: string;
  readonly source: string;
  readonly cause: Activation['cause'];
  readonly by: Actor;
  /** The policy language that the document needs; every live replica must know it. */
  readonly level: number;
  readonly change: PolicyChange;
  /** The reason that the actor gave; null: none. */
  readonly comment: string | null;
  /** Name of the key that proposed it; null: nobody did. */
  readonly proposedBy: string | null;
  /** True if it is applied although `POLICY_FILE` is set. */
  readonly overrides: boolean;
}

/** `stale`: another version is active. `unsupported`: a live replica cannot enforce it. */
export type Applied =
  | { readonly kind: 'applied'; readonly at: Date }
  | { readonly kind: 'stale' }
  | { readonly kind: 'unsupported'; readonly replica: string; readonly build: string };

const STATE: Statement = {
  name: 'policy-state',
  text: `select active_version, stopped_at, stopped_by from policy_state`,
};

/**
 * Parameters: replaced version, version, document, source, cause, actor, level, lanes, news. The state's row serializes changes: the
 * second of two has a stale version and changes nothing. Runs after {@link LOCK_GONE} in its transaction.
 */
const APPLY: Statement = {
  name: 'policy-apply',
  text: `
  with older as (
    select id, version from replicas where seen_at > now() - ${LIVE} and coalesce(policy_level, 0) < $7 limit 1
  ), activated as (
    update policy_state set active_version = $2
    where active_version is not distinct from $1::text and not exists (select from older)
    returning ${NOW} as at
  ), ${endPeopleGone({ of: 'activated', document: '$3', replaced: '$1', actor: '$6', lanes: '$8' })}, kept as (
    insert into policy_versions (version, document, source, created_at) select $2, $3, $4, at from activated
    on conflict (version) do nothing
  ), named as (
    insert into people (version, name, telegram, groups, email, subject)
    select $2, present.* from activated cross join present
    on conflict do nothing
  ), recorded as (
    insert into policy_activations (version, cause, actor, at) select $2, $5, $6, at from activated
  ), audited as (
    insert into audit_log (at, type, actor, data)
    select at, 'policy.applied', $6, json_build_object('version', $2::text, 'replaces', $1::text, 'cause', $5::text,
      'comment', $9::jsonb ->> 'comment')::text
    from activated
  ), announced as (${announce({ of: 'activated', lanes: '$8', news: '$9::jsonb' })}
  ), woken as (
    select pg_notify('${POLICY_CHANNEL}', '') as sent from activated
  )
  select (select at from activated) as at, (select id from older) as older, (select version from older) as build,
    (select count(sent) from woken) as all_woken`,
};

const LOCK_PENDING: Statement = { name: 'policy-lock-pending', text: lockUndecided() };

/** Parameters: document. */
const LOCK_GONE: Statement = { name: 'policy-lock-gone', text: LOCK_PASSKEYS_OF_GONE };

/** Parameters: actor, lanes, news. */
const STOP: Statement = {
  name: 'policy-stop',
  text: `
  with stopped as (
    update policy_state set stopped_at = ${NOW}, stopped_by = $1 where stopped_at is null returning stopped_at as at
  ), audited as (
    insert into audit_log (at, type, actor, data) select at, 'policy.stopped', $1, '{}' from stopped
  ), announced as (${announce({ of: 'stopped', lanes: '$2', news: '$3::jsonb' })}
  )
  select pg_notify('${POLICY_CHANNEL}', '') from stopped`,
};

/** Parameters: actor, lanes, news. */
const RESUME: Statement = {
  name: 'policy-resume',
  text: `
  with resumed as (
    update policy_state set stopped_at = null, stopped_by = null where stopped_at is not null returning ${NOW} as at
  ), audited as (
    insert into audit_log (at, type, actor, data) select at, 'policy.resumed', $1, '{}' from resumed
  ), announced as (${announce({ of: 'resumed', lanes: '$2', news: '$3::jsonb' })}
  )
  select pg_notify('${POLICY_CHANNEL}', '') from resumed`,
};

/** Parameters: limit. */
const HISTORY: Statement = {
  name: 'policy-history',
  text: `select version, cause, actor as by, at as "appliedAt" from policy_activations order by seq desc limit $1`,
};

/** Parameters: version. */
const WAS_ACTIVE: Statement = {
  name: 'policy-was-active',
  text: `select from policy_activations where version = $1 limit 1`,
};

interface StateRow {
  readonly active_version: string | null;
  readonly stopped_at: Date | null;
  readonly stopped_by: string | null;
}

/**
 * The tables of the policy: immutable versions, and one row that says which of them is active. The statement of every
 * change also announces it to the operators.
 */
@Injectable()
export class PolicyStore {
  constructor(
    private readonly database: Database,
    private readonly lanes: Lanes,
  ) {}

  async state(): Promise<PolicyState> {
    const [row] = await this.database.query<StateRow>(STATE, []);
    if (!row) throw new Error('the table policy_state is empty');
    const { active_version: version, stopped_at: at, stopped_by: by } = row;
    return { version, stopped: at && { at, by: by ?? 'unknown' } };
  }

  /** @returns the version with its document; null: it was never applied. */
  find(version: string): Promise<PolicyVersion | null> {
    return this.database.rows(PolicyVersionEntity, (rows) => rows.findOneBy({ version }));
  }

  /** Makes a version active, all or nothing, and ends what people have whom it does not name. */
  async apply(change: Change): Promise<Applied> {
    const { document, source, level, ...named } = change;
    const { replaces, version, cause, by } = named;
    const news: News = { event: 'policy-applied', ...named };
    const values = [replaces, version, document, source, cause, auditName(by), level, this.lanes.current];
    const [row] = await this.database.transaction(async (query) => {
      await query(LOCK_PENDING, []);
      await query(LOCK_GONE, [document]);
      return query<{ at: Date | null; older: string | null; build: string | null }>(APPLY, [
        ...values,
        JSON.stringify(news),
      ]);
    });
    if (row?.at) return { kind: 'applied', at: row.at };
    if (row?.older) return { kind: 'unsupported', replica: row.older, build: row.build ?? 'unknown' };
    return { kind: 'stale' };
  }

  /** Suspends every rule that allows. @returns true if this was new. */
  stop(by: Actor): Promise<boolean> {
    return this.turn(STOP, { event: 'policy-stopped', by });
  }

  /** @returns true if the rules were stopped. */
  resume(by: Actor): Promise<boolean> {
    return this.turn(RESUME, { event: 'policy-resumed', by });
  }

  /** Newest first. */
  history(limit: number): Promise<Activation[]> {
    return this.database.query<Activation>(HISTORY, [limit]);
  }

  async wasActive(version: string): Promise<boolean> {
    return (await this.database.query(WAS_ACTIVE, [version])).length > 0;
  }

  private async turn(statement: Statement, news: News & { readonly by: Actor }): Promise<boolean> {
    const values = [auditName(news.by), this.lanes.current, JSON.stringify(news)];
    return (await this.database.query(statement, values)).length > 0;
  }
}
