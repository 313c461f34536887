import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, bodyOf } from './api';
import { ConfirmButton } from './confirm-button';
import { LineDiff } from './line-diff';
import { Empty, Failure, Loading, Moment } from './notes';
import { rollBack, type Policy } from './policy-api';
import { shortVersion } from './short-version';
import { TEXTS } from './texts';

const T = TEXTS.policy;

/** Reads a version; it never changes. */
const versionQuery = (version: string | null) => ({
  queryKey: ['policy-version', version],
  queryFn: async () =>
    version === null
      ? ''
      : (await bodyOf(api.GET('/api/policy/versions/{version}', { params: { path: { version } } }))).source,
  staleTime: Infinity,
});

/** The lines that one version changed of another; null: of none. */
export function VersionDiff({ before, after }: { before: string | null; after: string }) {
  const [old, current] = [useQuery(versionQuery(before)), useQuery(versionQuery(after))];
  const error = old.error ?? current.error;
  if (error)
    return <Failure error={error} retry={() => void Promise.all([old.refetch(), current.refetch()])} />;
  if (old.data === undefined || current.data === undefined) return <Loading />;
  return <LineDiff before={old.data} after={current.data} />;
}

function RollBack({ version, policy }: { version: string; policy: Policy }) {
  const queries = useQueryClient();
  const roll = useMutation({
    mutationFn: () => rollBack(version, policy.version),
    onSettled: () => queries.invalidateQueries({ queryKey: ['policy'] }),
  });
  return (
    <div className="actions">
      <ConfirmButton
        words={T.rollback}
        confirm={T.confirmRollback}
        isBusy={roll.isPending}
        act={() => roll.mutate()}
      />
      {roll.error && (
        <p className="fault" role="alert">
          {roll.error.message}
        </p>
      )}
    </div>
  );
}

/** The changes of the active document, each line by line. */
export function PolicyHistory({ policy, change }: { policy: Policy; change: number }) {
  const history = useQuery({
    queryKey: ['policy', 'versions'],
    queryFn: () => bodyOf(api.GET('/api/policy/versions')),
  });
  if (history.error) return <Failure error={history.error} retry={() => void history.refetch()} />;
  if (!history.data) return <Loading />;
  const { items } = history.data;
  const shown = items[change];
  if (!shown) return <Empty title={T.empty}>{T.emptyNote}</Empty>;
  const before = items[change + 1]?.version ?? null;
  return (
    <div className="split">
      <ul className="versions">
        {items.map(({ version, cause, by, appliedAt }, i) => (
          <li key={`${version} ${appliedAt}`}>
            <Link
              to="/policy"
              search={{ place: 'history', change: i }}
              resetScroll={false}
              activeProps={{}}
              aria-current={i === change ? 'true' : undefined}
            >
              {T.cause[cause]} <Moment at={appliedAt} />
              <small>
                {by} · <code>{shortVersion(version)}</code>
              </small>
            </Link>
          </li>
        ))}
      </ul>
      <div className="stack">
        {before === null && <p className="hint">{T.first}</p>}
        <VersionDiff before={before} after={shown.version} />
        {policy.mayChange && shown.version !== policy.version && (
          <RollBack version={shown.version} policy={policy} />
        )}
      </div>
    </div>
  );
}
