import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Marked } from './action-parts';
import { api, type Approval } from './api';
import { Moment } from './notes';
import { useOperator } from './stream-context';
import { TEXTS } from './texts';

const T = TEXTS.quorum;

/** True if one decision of any operator does not settle the request. */
export const needsCertainPeople = ({ required }: Approval): boolean =>
  required.approvals > 1 || required.rejections > 1 || required.from.length > 0;

/** The people who must decide, and those who have. */
export function Quorum({ approval }: { approval: Approval }) {
  const queries = useQueryClient();
  const { key } = useOperator();
  const { id, required, decisions } = approval;
  const takeBack = useMutation({
    mutationFn: () => api.DELETE('/api/approvals/{id}/decision', { params: { path: { id } } }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['approval', id] }),
  });
  const isPending = approval.status === 'pending';
  const isMine = decisions.some(({ by }) => by.kind !== 'telegram' && by.id === key);
  if (!needsCertainPeople(approval)) return null;
  return (
    <section className="quorum" aria-label={T.title}>
      <p>{T.needs(required.approvals, required.from)}</p>
      {required.rejections > 1 && <p>{T.rejections(required.rejections)}</p>}
      <ul>
        {decisions.map(({ by, verdict, reason, at }) => (
          <li key={`${by.kind}:${by.id}`}>
            {TEXTS.status[verdict]} {T.by} <Marked text={by.name} /> <Moment at={at} />
            {reason !== null && (
              <>
                {': '}
                <Marked text={reason} />
              </>
            )}
          </li>
        ))}
      </ul>
      {takeBack.error && (
        <p className="fault" role="alert">
          {takeBack.error.message}
        </p>
      )}
      {isPending && isMine && (
        <p>
          <span role="status">{T.counted}</span>{' '}
          <button type="button" disabled={takeBack.isPending} onClick={() => takeBack.mutate()}>
            {T.takeBack}
          </button>
        </p>
      )}
    </section>
  );
}
