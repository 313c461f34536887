import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, bodyOf, type Verdict } from './api';
import { signDecision } from './passkey';
import { useOperator } from './stream-context';
import { TEXTS } from './texts';
import { useKeys } from './use-keys';

const T = TEXTS.request;

/** Approve, reject and grant. The keys only go to a button: Enter then decides, so that no slip decides. */
export function DecisionBar({
  id,
  verdicts,
  displayDigest,
  needsReason,
  display,
  needsPasskey,
}: {
  id: string;
  verdicts: readonly Verdict[];
  /** Of what the page shows: the service refuses a decision over something else. */
  displayDigest: string;
  /** True if the policy demands a reason: without one the browser asks for it. */
  needsReason: boolean;
  /** The text itself, which a passkey signs. */
  display: string;
  /** The policy lets nobody approve without one. */
  needsPasskey: boolean;
}) {
  const queries = useQueryClient();
  const reason = useRef<HTMLInputElement>(null);
  const approve = useRef<HTMLButtonElement>(null);
  const reject = useRef<HTMLButtonElement>(null);
  const refresh = () =>
    queries.invalidateQueries({
      predicate: ({ queryKey }) => queryKey[1] === id || queryKey[0] === 'history',
    });
  const { person } = useOperator();
  const [wantsToSign, setWantsToSign] = useState(true);
  const decide = useMutation({
    mutationFn: async (decision: Verdict) => {
      const given = reason.current?.value.trim() || null;
      const isSigned = decision === 'approved' && person !== null && (needsPasskey || wantsToSign);
      const assertion = isSigned
        ? await signDecision(id, { verdict: decision, reason: given, display })
        : null;
      return bodyOf(
        api.POST('/api/approvals/{id}/decision', {
          params: { path: { id } },
          body: { decision, reason: given, displayDigest, ...(assertion && { assertion }) },
        }),
      );
    },
    onSettled: refresh,
  });
  const offers = useQuery({
    queryKey: ['offers', id],
    queryFn: () => bodyOf(api.GET('/api/approvals/{id}/grant-offers', { params: { path: { id } } })),
    retry: false,
  });
  const grant = useMutation({
    mutationFn: (offer: string) =>
      bodyOf(api.POST('/api/grants', { body: { approvalId: id, offer, displayDigest } })),
    onSettled: refresh,
  });
  const send = (decision: Verdict) => {
    if (reason.current?.reportValidity() !== false) decide.mutate(decision);
  };
  useKeys((key) => {
    if (key === 'a') approve.current?.focus();
    else if (key === 'r') reject.current?.focus();
    else return false;
    return true;
  });
  const isBusy = decide.isPending || grant.isPending;
  const fault = decide.error ?? grant.error;
  return (
    <div className="decision">
      {!verdicts.includes('approved') && <p className="hint">{T.onlyReject}</p>}
      {fault && (
        <p className="fault" role="alert">
          {fault.message}
        </p>
      )}
      {(offers.data?.offers.length ?? 0) > 0 && (
        <details>
          <summary>{T.more}</summary>
          <p className="hint">{T.moreNote}</p>
          <ul>
            {offers.data?.offers.map(({ id: offer, scope }) => (
              <li key={offer}>
                <button type="button" disabled={isBusy} onClick={() => grant.mutate(offer)}>
                  {scope}
                </button>
              </li>
            ))}
          </ul>
        </details>
      )}
      {needsPasskey && <p className="hint">{person === null ? T.needsPasskey : T.signs}</p>}
      {!needsPasskey && person !== null && verdicts.includes('approved') && (
        <label className="sign">
          <input
            type="checkbox"
            checked={wantsToSign}
            onChange={({ target }) => setWantsToSign(target.checked)}
          />{' '}
          {T.sign}
        </label>
      )}
      <div className="decide">
        <label htmlFor="reason">{T.reason}</label>
        <input
          id="reason"
          ref={reason}
          maxLength={1000}
          required={needsReason}
          pattern={needsReason ? '.*\\S.*' : undefined}
          placeholder={needsReason ? T.reasonNeeded : T.reasonHint}
          autoComplete="off"
        />
        {verdicts.includes('rejected') && (
          <button
            ref={reject}
            type="button"
            className="reject"
            aria-keyshortcuts="r"
            disabled={isBusy}
            onClick={() => send('rejected')}
          >
            {T.reject}
          </button>
        )}
        {verdicts.includes('approved') && (
          <button
            ref={approve}
            type="button"
            className="approve"
            aria-keyshortcuts="a"
            disabled={isBusy}
            onClick={() => send('approved')}
          >
            {T.approve}
          </button>
        )}
      </div>
    </div>
  );
}
