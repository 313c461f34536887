import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { visibleLine } from '../../../cards/visible-text/visible-text';
import { api, bodyOf, type Grant } from './api';
import { Empty, Failure, Loading, Moment } from './notes';
import { TEXTS } from './texts';

const T = TEXTS.grants;

function Revoke({ grant }: { grant: Grant }) {
  const queries = useQueryClient();
  const [isAsked, setAsked] = useState(false);
  const revoke = useMutation({
    mutationFn: () => api.DELETE('/api/grants/{id}', { params: { path: { id: grant.id } } }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['grants'] }),
  });
  return (
    <button
      type="button"
      className={isAsked ? 'reject' : ''}
      disabled={revoke.isPending}
      onBlur={() => setAsked(false)}
      onClick={() => (isAsked ? revoke.mutate() : setAsked(true))}
    >
      {isAsked ? T.confirm : T.revoke}
    </button>
  );
}

export function GrantsView() {
  const grants = useQuery({
    queryKey: ['grants'],
    queryFn: () => bodyOf(api.GET('/api/grants')),
    staleTime: 0,
  });
  const { columns } = T;
  return (
    <div className="page">
      <div className="page-head">
        <h1>{T.title}</h1>
      </div>
      <p className="hint">{T.note}</p>
      {grants.error ? (
        <Failure error={grants.error} retry={() => void grants.refetch()} />
      ) : grants.isPending ? (
        <Loading />
      ) : grants.data.items.length === 0 ? (
        <Empty title={T.empty}>{T.emptyNote}</Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">{columns.scope}</th>
              <th scope="col">{columns.session}</th>
              <th scope="col">{columns.by}</th>
              <th scope="col">{columns.uses}</th>
              <th scope="col">{columns.ends}</th>
              <th>
                <span className="unseen">{T.revoke}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {grants.data.items.map((grant) => (
              <tr key={grant.id}>
                <td data-label={columns.scope}>{grant.scope}</td>
                <td data-label={columns.session}>
                  <code>{visibleLine(grant.sessionId ?? grant.cwd ?? '–')}</code>
                </td>
                <td data-label={columns.by}>{grant.by.name}</td>
                <td data-label={columns.uses}>
                  {T.uses(grant.uses, grant.usesLeft === null ? null : grant.uses + grant.usesLeft)}
                </td>
                <td data-label={columns.ends}>
                  <Moment at={grant.expiresAt} />
                </td>
                <td>
                  <Revoke grant={grant} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
