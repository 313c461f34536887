import { possibleVerdicts, type Approval } from '../../approvals/approval';
import type { Button } from './operator-chat';
import { callbackData, grantCallbackData } from './operators/callback-data';

const approve = (nonce: string): Button => ({
  text: '✅ Approve',
  data: callbackData({ verdict: 'approved', nonce, complete: true }),
  style: 'success',
});

const reject = (nonce: string, complete = true): Button => ({
  text: '❌ Reject',
  data: callbackData({ verdict: 'rejected', nonce, complete }),
  style: 'danger',
});

/** Asks for the grants that may be made from the card. */
const allowMore = (nonce: string): Button => ({
  text: '⏱ Allow more …',
  data: grantCallbackData({ kind: 'offers', nonce }),
});

interface Offered {
  readonly complete?: boolean;
  /** True if a grant may be made from the request. */
  readonly grants?: boolean;
}

/** Buttons for the possible decisions; without the complete action there is no Approve. */
export function buttonsFor(
  approval: Approval,
  nonce: string,
  { complete = true, grants = false }: Offered = {},
): Button[] {
  const possible = possibleVerdicts(approval);
  return [
    ...(complete && possible.includes('approved') ? [approve(nonce)] : []),
    ...(possible.includes('rejected') ? [reject(nonce, complete)] : []),
    ...(complete && grants ? [allowMore(nonce)] : []),
  ];
}
