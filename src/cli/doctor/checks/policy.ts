import { TOOL_SHAPES } from '../../../agents/adapters';
import { POLICY_JSON } from '../../../approvals/policy-column';
import type { Database } from '../../../database/database';
import { UnreadableDocument } from '../../../policy/document/source';
import type { Policy } from '../../../policy/document/policy-schema';
import { readPolicy } from '../../../policy/document/read-policy';
import { compilePolicy } from '../../../policy/evaluation/compile-policy';
import { POLICY_LEVEL } from '../../../policy/policy-level';
import { error, seen, skipped, warning, type Check, type Finding } from '../check';

/** A rule that nothing matches for this long is dead; shorter where requests are not kept as long. */
const DEAD_AFTER_DAYS = 30;

/** $1: days. `before`: the document that was active so many days ago. */
const STATE = {
  name: 'doctor-policy-state',
  text: `
  select active_version as version, stopped_by as "stoppedBy",
    (select document from policy_versions where version = active_version) as document,
    (select document from policy_activations a join policy_versions v on v.version = a.version
     where a.at <= now() - make_interval(days => $1) order by a.seq desc limit 1) as before
  from policy_state`,
};

/** $1: days. Ids of the rules that decided a request, or would have if they were enforced. Ids begin with the time. */
const USED_RULES = {
  name: 'doctor-policy-used-rules',
  text: `
  select distinct rule from approvals, lateral (select ${POLICY_JSON} as verdict offset 0) as given,
    lateral (
      select jsonb_array_elements_text(verdict -> 'rules') as rule
      union all select jsonb_array_elements_text(verdict -> 'shadow' -> 'rules')
        where jsonb_typeof(verdict -> 'shadow') = 'object'
    ) as named
  where policy is not null
    and id >= (lpad(to_hex((extract(epoch from now() - make_interval(days => $1)) * 1000)::bigint), 12, '0')
      || repeat('0', 20))::uuid`,
};

/** $1: level. Live replicas that enforce less than this build. */
const OLDER_REPLICAS = {
  name: 'doctor-policy-older-replicas',
  text: `
  select id, version from replicas
  where seen_at > now() - interval '10 seconds' and coalesce(policy_level, 0) < $1 order by id`,
};

/** Live replicas whose heartbeat still reports another version, well after a poll must have found the active one. */
const LAGGING_REPLICAS = {
  name: 'doctor-policy-lagging-replicas',
  text: `
  select r.id, policy_version as version from replicas r cross join policy_state
  where seen_at > now() - interval '10 seconds' and policy_version <> active_version
    and seen_at > (select max(at) from policy_activations) + interval '3 seconds'
  order by r.id`,
};

interface State extends Record<string, unknown> {
  readonly version: string | null;
  readonly stoppedBy: string | null;
  readonly document: string | null;
  readonly before: string | null;
}

type Found = Omit<Finding, 'check'>;

const HISTORY =
  '"countersign policy history" has the versions, "countersign policy rollback VERSION" makes one active';

/** The document, if this build can enforce it. */
function enforceable(version: string, document: string): Policy | Found {
  try {
    const { policy } = readPolicy(document);
    compilePolicy({ policy, version }, TOOL_SHAPES);
    return policy;
  } catch (reason) {
    const faults = reason instanceof UnreadableDocument ? reason.findings.map(({ message }) => message) : [];
    return error(
      `this build cannot enforce the active policy ${version}, and does not start with it: ${faults[0] ?? String(reason)}`,
      `run the build that applied it, and apply with it a document that both read; ${HISTORY}`,
    );
  }
}

async function deadRules(
  database: Database,
  policy: Policy,
  before: string | null,
  days: number,
): Promise<string[]> {
  if (before === null) return [];
  const { rules: then } = JSON.parse(before) as { rules?: readonly { readonly id: string }[] };
  const old = new Set((then ?? []).map(({ id }) => id));
  const used = new Set((await database.query<{ rule: string }>(USED_RULES, [days])).map(({ rule }) => rule));
  return policy.rules.flatMap(({ id }) => (old.has(id) && !used.has(id) ? [id] : []));
}

/** Checks that every replica can enforce the active policy, that it is not stopped, and that its rules are in use. */
export const policyCheck: Check = {
  name: 'policy',
  async examine({ reached: { database }, config }) {
    if (database === null) return skipped('needs the database');
    const days = Math.min(DEAD_AFTER_DAYS, config.approvals.retentionDays);
    const [state] = await database.query<State>(STATE, [days]);
    if (!state || state.version === null || state.document === null)
      return seen('none was applied: every request asks a person');
    const { version, document, before, stoppedBy } = state;
    const findings: Found[] = [];
    const read = enforceable(version, document);
    if ('severity' in read) findings.push(read);
    else {
      const dead = await deadRules(database, read, before, days);
      if (dead.length > 0) {
        findings.push(
          warning(
            `no request matched these rules in ${days} days: ${dead.join(', ')}`,
            'remove them, or see with "countersign policy explain" why they do not match',
          ),
        );
      }
    }
    if (stoppedBy !== null) {
      findings.push(
        warning(
          `${stoppedBy} has stopped the rules that allow: everything asks`,
          'an admin ends it with "countersign policy resume"; docs/runbooks/CountersignPolicyStopped.md',
        ),
      );
    }
    for (const replica of await database.query<{ id: string; version: string }>(OLDER_REPLICAS, [
      POLICY_LEVEL,
    ])) {
      findings.push(
        error(
          `the replica ${replica.id} runs version ${replica.version}, which knows less of the policy than this one`,
          'upgrade it: until then, no document that needs more is applied',
        ),
      );
    }
    for (const replica of await database.query<{ id: string; version: string }>(LAGGING_REPLICAS, [])) {
      findings.push(
        error(
          `the replica ${replica.id} still enforces ${replica.version}, not the active policy ${version}`,
          'see "policy.unreadable" in its log, and restart it: until then, every request to it that a rule allows fails',
        ),
      );
    }
    return seen(`${version.slice(0, 19)}… is active`, ...findings);
  },
};
