import { userInfo } from 'node:os';
import { besideService, type Surroundings } from '../join-service';
import { formatLane } from '../../channels/telegram/lane';
import { policyChange } from '../../policy/compare/policy-change';
import { readStored } from '../../policy/document/read-policy';
import { POLICY_LEVEL } from '../../policy/policy-level';
import { PolicyStore, type PolicyVersion } from '../../policy/policy-store';

/** Enough for every version that a person might go back to. */
const MAX_HISTORY = 10_000;

/** SQL that is true for the owner of the tables, as which migrations run. */
const IS_OWNER = `select pg_has_role(current_user, relowner, 'usage') as owner
  from pg_class where oid = 'policy_state'::regclass`;

export interface RolledBack {
  readonly version: string;
  readonly replaces: string | null;
  readonly appliedAt: Date;
}

/**
 * Makes an earlier version active on the database itself, for people whom a version has locked out. It asks no second person.
 *
 * @throws Error with a remedy: without the owner's role, or if the version cannot be made active
 */
export function rollbackOffline(beginning: string, comment: string | null): Promise<RolledBack> {
  return besideService(async ({ database, config }) => {
    const [role] = await database.query<{ owner: boolean }>({ name: 'policy-is-owner', text: IS_OWNER }, []);
    if (role?.owner !== true)
      throw new Error(
        "--offline needs the owner's role: set DATABASE_URL to the URL in DATABASE_MIGRATION_URL, for this command only",
      );
    const store = new PolicyStore(database, { current: lanesOf(config) });
    const next = await findVersion(store, beginning);
    const { version: replaces } = await store.state();
    if (replaces === next.version) throw new Error(`${next.version} is the active version already`);
    const current = replaces === null ? null : await store.find(replaces);
    const { version, document, source } = next;
    const applied = await store.apply({
      replaces,
      version,
      document,
      source,
      cause: 'rollback',
      by: { kind: 'system', cause: `offline:${userInfo().username}` },
      level: POLICY_LEVEL,
      change: policyChange(current && readStored(current.document), readStored(document)),
      comment,
      proposedBy: null,
      overrides: config.policy.file !== null,
    });
    if (applied.kind === 'stale') throw new Error('another version was made active meanwhile; run it again');
    if (applied.kind === 'unsupported')
      throw new Error(`the replica ${applied.replica} cannot enforce it; upgrade or stop that replica first`);
    return { version, replaces, appliedAt: applied.at };
  });
}

const lanesOf = ({ telegram }: Surroundings['config']): readonly string[] =>
  telegram === null ? [] : [formatLane(telegram)];

async function findVersion(store: PolicyStore, beginning: string): Promise<PolicyVersion> {
  const digest = beginning.replace(/^sha256:/, '');
  const versions = (await store.history(MAX_HISTORY)).map(({ version }) => version);
  const found = new Set(versions.filter((version) => version.startsWith(`sha256:${digest}`)));
  const [only] = found;
  const version = digest !== '' && found.size === 1 && only !== undefined ? await store.find(only) : null;
  if (version !== null) return version;
  const latest = [...new Set(versions)].slice(0, 5).join(', ');
  throw new Error(
    `${found.size === 0 ? 'no version' : 'more than one version'} begins with ${beginning}; the latest are: ${latest}`,
  );
}
