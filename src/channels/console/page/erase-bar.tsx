import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, bodyOf } from './api';
import { ConfirmButton } from './confirm-button';
import { TEXTS } from './texts';

const T = TEXTS.erasure;

/** Erases the input of a settled request, for an admin. */
export function EraseBar({ id }: { id: string }) {
  const queries = useQueryClient();
  const [reason, setReason] = useState('');
  const erase = useMutation({
    mutationFn: () =>
      bodyOf(api.DELETE('/api/approvals/{id}/input', { params: { path: { id } }, body: { reason } })),
    onSuccess: () => queries.invalidateQueries(),
  });
  return (
    <details className="erase">
      <summary>{T.title}</summary>
      <p className="hint">{T.note}</p>
      <div className="decide">
        <label htmlFor="erasure">{T.reason}</label>
        <input
          id="erasure"
          maxLength={1000}
          value={reason}
          onChange={({ target }) => setReason(target.value)}
        />
        <ConfirmButton
          words={T.erase}
          confirm={T.confirm}
          isBusy={erase.isPending || reason.trim() === ''}
          act={() => erase.mutate()}
        />
      </div>
      {erase.error && (
        <p className="fault" role="alert">
          {erase.error.message}
        </p>
      )}
    </details>
  );
}
