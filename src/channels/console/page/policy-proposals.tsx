import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, bodyOf } from './api';
import { ConfirmButton } from './confirm-button';
import { Empty, Failure, Loading, Moment } from './notes';
import type { Policy } from './policy-api';
import { VersionDiff } from './policy-history';
import { shortVersion } from './short-version';
import { TEXTS } from './texts';

const T = TEXTS.policy;

/** Documents that wait for a second person. */
export function PolicyProposals({ policy }: { policy: Policy }) {
  const queries = useQueryClient();
  const proposals = useQuery({
    queryKey: ['policy', 'proposals'],
    queryFn: () => bodyOf(api.GET('/api/policy/proposals')),
    staleTime: 0,
  });
  const approve = useMutation({
    mutationFn: (id: string) =>
      bodyOf(api.POST('/api/policy/proposals/{id}/approve', { params: { path: { id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['policy'] }),
  });
  if (proposals.error) return <Failure error={proposals.error} retry={() => void proposals.refetch()} />;
  if (!proposals.data) return <Loading />;
  const { items } = proposals.data;
  if (items.length === 0) return <Empty title={T.noProposals}>{T.noProposalsNote}</Empty>;
  return items.map(({ id, version, replaces, proposedBy, owner, createdAt }) => (
    <section key={id} className="stack">
      <h2>
        {T.version(shortVersion(version))}{' '}
        <span className="hint">
          {T.proposedBy} {owner ?? proposedBy} <Moment at={createdAt} />
        </span>
      </h2>
      <VersionDiff before={replaces} after={version} />
      {policy.mayChange && (
        <ConfirmButton
          words={T.approve}
          confirm={T.confirmApprove}
          isBusy={approve.isPending}
          act={() => approve.mutate(id)}
        />
      )}
      {approve.error && approve.variables === id && (
        <p className="fault" role="alert">
          {approve.error.message}
        </p>
      )}
    </section>
  ));
}
