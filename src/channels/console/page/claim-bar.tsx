import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { Marked } from './action-parts';
import { api, bodyOf, type Approval } from './api';
import { Moment } from './notes';
import { TEXTS } from './texts';
import { useKeys } from './use-keys';
import { useNow } from './use-now';

const T = TEXTS.claim;
const EVERY_MS = 1_000;
const MORE_TIME_SECONDS = 15 * 60;

const nameOf = ({ person, by }: NonNullable<Approval['extendedBy']>): string => person ?? by.name;

/** The person who is on a pending request, and what anybody may say without a decision. */
export function ClaimBar({ approval }: { approval: Approval }) {
  const { id, claimedBy, snoozedBy, extendedBy } = approval;
  const queries = useQueryClient();
  const now = useNow(EVERY_MS);
  const claim = useRef<HTMLButtonElement>(null);
  const say = useMutation({
    mutationFn: (action: 'claim' | 'snooze' | 'extend') => {
      const params = { path: { id } };
      if (action === 'claim') return bodyOf(api.POST('/api/approvals/{id}/claim', { params }));
      if (action === 'snooze') return bodyOf(api.POST('/api/approvals/{id}/snooze', { params }));
      return bodyOf(api.POST('/api/approvals/{id}/extend', { params, body: { seconds: MORE_TIME_SECONDS } }));
    },
    onSettled: () => queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[1] === id }),
  });
  useKeys((key) => {
    if (key !== 'c') return false;
    claim.current?.click();
    return true;
  });
  const isOpen = (until: string | undefined) => until !== undefined && Date.parse(until) > now;
  const last = claimedBy ?? snoozedBy;
  const open = last !== null && isOpen(last.until) ? last : null;
  return (
    <section className="quorum" aria-label={T.title}>
      {open && (
        <p role="status">
          <Marked text={(claimedBy ? T.claimed : T.snoozed)(nameOf(open))} /> <Moment at={open.at} />{' '}
          {T.until} <Moment at={open.until} />
        </p>
      )}
      {extendedBy && (
        <p>
          <Marked text={T.extended(nameOf(extendedBy))} /> <Moment at={extendedBy.at} />
        </p>
      )}
      {say.error && (
        <p className="fault" role="alert">
          {say.error.message}
        </p>
      )}
      <p className="claim">
        <button
          ref={claim}
          type="button"
          aria-keyshortcuts="c"
          disabled={say.isPending || (open !== null && claimedBy !== null)}
          onClick={() => say.mutate('claim')}
        >
          {T.claim}
        </button>{' '}
        <button type="button" disabled={say.isPending || open !== null} onClick={() => say.mutate('snooze')}>
          {T.snooze}
        </button>{' '}
        <button type="button" disabled={say.isPending} onClick={() => say.mutate('extend')}>
          {T.moreTime}
        </button>
      </p>
    </section>
  );
}
