import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, bodyOf } from './api';
import { Empty, Failure, Loading, Moment } from './notes';
import { beginAnother, enrol } from './passkey';
import { RosterTable } from './roster-table';
import { useOperator } from './stream-context';
import { TEXTS } from './texts';

const T = TEXTS.people;
const KEY = ['passkeys'];
const SHORT = 12;

function Remove({ id }: { id: string }) {
  const queries = useQueryClient();
  const [isAsked, setAsked] = useState(false);
  const remove = useMutation({
    mutationFn: () => api.DELETE('/console/passkeys/{id}', { params: { path: { id } } }),
    onSettled: () => queries.invalidateQueries({ queryKey: KEY }),
  });
  return (
    <button
      type="button"
      className={isAsked ? 'reject' : ''}
      disabled={remove.isPending}
      onBlur={() => setAsked(false)}
      onClick={() => (isAsked ? remove.mutate() : setAsked(true))}
    >
      {isAsked ? T.confirm : T.remove}
    </button>
  );
}

/** Invites somebody else, as their second person. */
function Invite() {
  const invite = useMutation({
    mutationFn: (person: string) => bodyOf(api.POST('/console/passkeys/invites', { body: { person } })),
  });
  return (
    <details className="invite">
      <summary>{T.invite}</summary>
      <p className="hint">{T.inviteNote}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const person = new FormData(event.currentTarget).get('person');
          if (typeof person === 'string') invite.mutate(person);
        }}
      >
        <label htmlFor="person">{T.person}</label>{' '}
        <input id="person" name="person" autoComplete="off" required maxLength={100} />{' '}
        <button type="submit" disabled={invite.isPending}>
          {T.invite}
        </button>
      </form>
      {invite.error && (
        <p className="fault" role="alert">
          {invite.error.message}
        </p>
      )}
      {invite.data && (
        <p role="status">
          {T.link}: <code>{`${location.origin}/console#invite=${invite.data.token}`}</code>
        </p>
      )}
    </details>
  );
}

export function PeopleView() {
  const queries = useQueryClient();
  const { person } = useOperator();
  const passkeys = useQuery({ queryKey: KEY, queryFn: () => bodyOf(api.GET('/console/passkeys')) });
  const add = useMutation({
    mutationFn: async () => enrol(await beginAnother()),
    onSettled: () => queries.invalidateQueries({ queryKey: KEY }),
  });
  const { columns } = T;
  return (
    <div className="page">
      <div className="page-head">
        <h1>{T.title}</h1>
        {person !== null && (
          <button type="button" disabled={add.isPending} onClick={() => add.mutate()}>
            {T.add}
          </button>
        )}
      </div>
      <RosterTable />
      <p className="hint">{T.note}</p>
      {add.error && (
        <p className="fault" role="alert">
          {add.error.message}
        </p>
      )}
      {passkeys.error ? (
        <Failure error={passkeys.error} retry={() => void passkeys.refetch()} />
      ) : passkeys.isPending ? (
        <Loading />
      ) : passkeys.data.items.length === 0 ? (
        <Empty title={T.empty}>{T.emptyNote}</Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">{columns.person}</th>
              <th scope="col">{columns.passkey}</th>
              <th scope="col">{columns.made}</th>
              <th scope="col">{columns.used}</th>
              <th scope="col">{columns.state}</th>
              <th>
                <span className="unseen">{T.remove}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {passkeys.data.items.map(({ id, person: owner, createdAt, usedAt, revokedAt }) => (
              <tr key={id}>
                <td data-label={columns.person}>{owner}</td>
                <td data-label={columns.passkey}>
                  <code>{id.slice(0, SHORT)}</code>
                </td>
                <td data-label={columns.made}>
                  <Moment at={createdAt} />
                </td>
                <td data-label={columns.used}>{usedAt === null ? T.never : <Moment at={usedAt} />}</td>
                <td data-label={columns.state}>{revokedAt === null ? T.current : T.removed}</td>
                <td>{revokedAt === null && <Remove id={id} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {person !== null && <Invite />}
    </div>
  );
}
