import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, bodyOf } from './api';
import { ConfirmButton } from './confirm-button';
import { Empty, Failure, Loading, Moment } from './notes';
import { TEXTS } from './texts';

const T = TEXTS.apiKeys;
const KEY = ['keys'];

function Revoke({ name }: { name: string }) {
  const queries = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => api.DELETE('/api/keys/{name}', { params: { path: { name } } }),
    onSettled: () => queries.invalidateQueries({ queryKey: KEY }),
  });
  return (
    <>
      <ConfirmButton
        words={T.revoke}
        confirm={T.confirm}
        isBusy={revoke.isPending}
        act={() => revoke.mutate()}
      />
      {revoke.error && (
        <span className="fault" role="alert">
          {revoke.error.message}
        </span>
      )}
    </>
  );
}

export default function KeysView() {
  const keys = useQuery({ queryKey: KEY, queryFn: () => bodyOf(api.GET('/api/keys')), staleTime: 0 });
  const { columns } = T;
  return (
    <div className="page">
      <div className="page-head">
        <h1>{T.title}</h1>
      </div>
      <p className="hint">
        {T.note} <code>{T.command}</code>
      </p>
      {keys.data?.mayRevoke === false && <p className="hint">{T.onlyAdmins}</p>}
      {keys.error ? (
        <Failure error={keys.error} retry={() => void keys.refetch()} />
      ) : keys.isPending ? (
        <Loading />
      ) : keys.data.items.length === 0 ? (
        <Empty title={T.empty}>{T.emptyNote}</Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">{columns.name}</th>
              <th scope="col">{columns.role}</th>
              <th scope="col">{columns.owner}</th>
              <th scope="col">{columns.made}</th>
              <th scope="col">{columns.used}</th>
              <th scope="col">{columns.state}</th>
            </tr>
          </thead>
          <tbody>
            {keys.data.items.map(({ name, role, owner, createdAt, lastUsedAt, revokedAt }) => (
              <tr key={name}>
                <td data-label={columns.name}>{name}</td>
                <td data-label={columns.role}>{T.roles[role]}</td>
                <td data-label={columns.owner}>{owner ?? '–'}</td>
                <td data-label={columns.made}>
                  <Moment at={createdAt} />
                </td>
                <td data-label={columns.used}>
                  {lastUsedAt === null ? T.never : <Moment at={lastUsedAt} />}
                </td>
                <td data-label={columns.state}>
                  {revokedAt !== null ? (
                    <span>
                      {T.revoked} <Moment at={revokedAt} />
                    </span>
                  ) : keys.data.mayRevoke ? (
                    <Revoke name={name} />
                  ) : (
                    T.valid
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
