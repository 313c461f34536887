import { useQuery } from '@tanstack/react-query';
import { api, bodyOf, type Approval } from './api';
import { saveFile } from './save-file';
import { TEXTS } from './texts';

const T = TEXTS.request;

/** Verifies the receipt in this browser; the code for it loads only here. */
export function ReceiptNote({ approval }: { approval: Approval }) {
  const { receipt, id } = approval;
  const check = useQuery({
    queryKey: ['receipt', receipt],
    queryFn: async () => {
      const [{ checkReceipt }, keys] = await Promise.all([
        import('./receipt'),
        bodyOf(api.GET('/.well-known/jwks.json')),
      ]);
      return checkReceipt(approval, keys);
    },
    enabled: receipt !== null,
    staleTime: Infinity,
  });
  const words = { good: T.receiptGood, bad: T.receiptBad, unable: T.receiptUnable };
  const save = () => {
    saveFile(new Blob([receipt ?? ''], { type: 'application/jose' }), `receipt-${id}.jws`);
  };
  return (
    <span className={`receipt ${check.data ?? ''}`}>
      {check.error ? check.error.message : check.data ? words[check.data] : T.receiptChecking}{' '}
      <button type="button" className="quiet" onClick={save}>
        {T.download}
      </button>
    </span>
  );
}
