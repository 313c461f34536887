import { Injectable } from '@nestjs/common';
import { actorOf, type Identity } from '../access/identity';
import { Database, type Statement } from '../database/database';
import type { News, PolicyChange } from '../kernel/announcement';
import { Lanes } from '../outbox/lanes';
import { announce } from '../outbox/outbox-work';

/** A document that waits for a second person. */
export interface Proposal {
  readonly id: string;
  readonly version: string;
  /** The version that was active when it was proposed. */
  readonly replaces: string | null;
  /** Name of the proposing key. */
  readonly proposedBy: string;
  /** Owner of the proposing key. */
  readonly owner: string | null;
  readonly createdAt: Date;
}

const NOW = `date_trunc('milliseconds', now())`;

const PROPOSAL = `id, version, replaces, proposed_by as "proposedBy", owner, created_at as "createdAt"`;

/** Parameters: version, document, source, replaced version, key, owner, lanes, news. Adds nothing if another version is active. */
const ADD: Statement = {
  name: 'policy-propose',
  text: `
  with kept as (
    insert into policy_versions (version, document, source, created_at)
    select $1, $2, $3, ${NOW} from policy_state where active_version is not distinct from $4::text
    on conflict (version) do nothing
  ), added as (
    insert into policy_proposals (id, version, replaces, proposed_by, owner, created_at)
    select uuid_v7(${NOW}), $1, $4, $5, $6, ${NOW} from policy_state where active_version is not distinct from $4::text
    returning *
  ), audited as (
    insert into audit_log (at, type, actor, data)
    select created_at, 'policy.proposed', 'api:' || proposed_by,
      json_build_object('version', version, 'replaces', replaces, 'proposal', id)::text
    from added
  ), announced as (${announce({ of: 'added', lanes: '$7', news: `$8::jsonb || jsonb_build_object('proposal', id)` })}
  )
  select ${PROPOSAL} from added`,
};

/** Proposals that were not approved and whose version is still the one to be replaced. */
const OPEN = `approved_at is null and replaces is not distinct from (select active_version from policy_state)`;

/** Parameters: limit. */
const LIST: Statement = {
  name: 'policy-proposals',
  text: `select ${PROPOSAL} from policy_proposals where ${OPEN} order by id desc limit $1`,
};

/** Parameters: id. */
const FIND: Statement = {
  name: 'policy-proposal',
  text: `select ${PROPOSAL}, (select source from policy_versions v where v.version = policy_proposals.version)
    from policy_proposals where id = $1 and ${OPEN}`,
};

/** Parameters: id, key. */
const CLOSE: Statement = {
  name: 'policy-proposal-close',
  text: `update policy_proposals set approved_by = $2, approved_at = ${NOW} where id = $1 and approved_at is null`,
};

/** The proposals of changes for which the active policy demands two people. */
@Injectable()
export class PolicyProposals {
  constructor(
    private readonly database: Database,
    private readonly lanes: Lanes,
  ) {}

  /** @returns null if another version is active than the one to be replaced. */
  async add(proposal: {
    readonly version: string;
    /** RFC 8785 text of the document. */
    readonly document: string;
    readonly source: string;
    readonly replaces: string | null;
    readonly by: Pick<Identity, 'keyId' | 'owner'>;
    readonly change: PolicyChange;
    readonly comment: string | null;
  }): Promise<Proposal | null> {
    const { version, document, source, replaces, by, change, comment } = proposal;
    const news = {
      event: 'policy-proposed',
      by: actorOf(by),
      version,
      replaces,
      change,
      comment,
    } satisfies Partial<News>;
    const values = [
      version,
      document,
      source,
      replaces,
      by.keyId,
      by.owner,
      this.lanes.current,
      JSON.stringify(news),
    ];
    const [added] = await this.database.query<Proposal>(ADD, values);
    return added ?? null;
  }

  /** Open proposals, newest first. */
  list(limit: number): Promise<Proposal[]> {
    return this.database.query<Proposal>(LIST, [limit]);
  }

  /** An open proposal with the text of its document. */
  async find(id: string): Promise<(Proposal & { readonly source: string }) | null> {
    const [found] = await this.database.query<Proposal & { source: string }>(FIND, [id]);
    return found ?? null;
  }

  async close(id: string, by: string): Promise<void> {
    await this.database.query(CLOSE, [id, by]);
  }
}
