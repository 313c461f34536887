import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { visibleBlock } from '../../../cards/visible-text/visible-text';
import { Code } from './action-parts';
import { api, bodyOf } from './api';
import { ConfirmButton } from './confirm-button';
import { Empty, Failure, Loading, Moment } from './notes';
import type { Policy } from './policy-api';
import { PolicyDraft } from './policy-draft';
import { PolicyHistory } from './policy-history';
import { PLACES, type PolicyPlace } from './policy-place';
import { PolicyProposals } from './policy-proposals';
import { shortVersion } from './short-version';
import { TEXTS } from './texts';

const T = TEXTS.policy;
const REFRESH_MS = 15_000;

/** True while the rules are stopped; anybody may stop them, an admin lets them go on. */
function Stop({ policy }: { policy: Policy }) {
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: async (to: 'stop' | 'resume') => {
      if (to === 'stop') await api.POST('/api/policy/stop');
      else await api.POST('/api/policy/resume');
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['policy'] }),
  });
  const fault = change.error && (
    <p className="fault" role="alert">
      {change.error.message}
    </p>
  );
  if (policy.stopped === null) {
    if (policy.version === null) return null;
    return (
      <>
        <ConfirmButton
          words={T.stop}
          confirm={T.confirmStop}
          isBusy={change.isPending}
          act={() => change.mutate('stop')}
        />
        {fault}
      </>
    );
  }
  return (
    <div className="stopped" role="status">
      <p>
        <strong>{T.stopped}</strong>{' '}
        <span className="hint">
          {T.stoppedBy} {policy.stopped.by}, <Moment at={policy.stopped.at} />
        </span>
      </p>
      {policy.mayChange && (
        <button type="button" disabled={change.isPending} onClick={() => change.mutate('resume')}>
          {T.resume}
        </button>
      )}
      {fault}
    </div>
  );
}

function Document({ policy }: { policy: Policy }) {
  if (policy.source === null) return <Empty title={T.empty}>{T.emptyNote}</Empty>;
  return <Code text={visibleBlock(policy.source.replace(/\n$/, ''))} />;
}

function Place({ policy, place }: { policy: Policy; place: PolicyPlace }) {
  switch (place.place ?? 'document') {
    case 'document':
      return <Document policy={policy} />;
    case 'edit':
      return <PolicyDraft policy={policy} />;
    case 'history':
      return <PolicyHistory policy={policy} change={place.change ?? 0} />;
    case 'proposals':
      return <PolicyProposals policy={policy} />;
  }
}

export default function PolicyView({ place }: { place: PolicyPlace }) {
  const policy = useQuery({
    queryKey: ['policy', 'active'],
    queryFn: () => bodyOf(api.GET('/api/policy')),
    refetchInterval: REFRESH_MS,
  });
  const { data } = policy;
  return (
    <div className="page">
      <div className="page-head">
        <h1>{T.title}</h1>
        {data?.stopped === null && <Stop policy={data} />}
      </div>
      {data?.version && (
        <p className="hint">
          {T.version(shortVersion(data.version))} · {T.applied} {data.by ?? '–'}
          {data.appliedAt !== null && (
            <>
              {' '}
              <Moment at={data.appliedAt} />
            </>
          )}
        </p>
      )}
      {data && data.stopped !== null && <Stop policy={data} />}
      <div className="tabs" role="navigation" aria-label={T.title}>
        {PLACES.map((each) => (
          <Link
            key={each}
            to="/policy"
            search={each === 'document' ? {} : { place: each }}
            activeOptions={{ exact: true }}
            aria-current={each === (place.place ?? 'document') ? 'page' : undefined}
          >
            {T.places[each]}
          </Link>
        ))}
      </div>
      {data ? (
        <Place policy={data} place={place} />
      ) : policy.error ? (
        <Failure error={policy.error} retry={() => void policy.refetch()} />
      ) : (
        <Loading />
      )}
    </div>
  );
}
