import { possibleVerdicts, type Approval, type Verdict } from '../../approvals/approval';
import type { Button } from './operator-chat';
import {
  callbackData,
  grantCallbackData,
  PRESET_REASONS,
  wordsCallbackData,
} from './operators/callback-data';

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

/** Asks for the reasons with which the card may be rejected. */
const sayWhy = (nonce: string): Button => ({
  text: '💬 Say why …',
  data: wordsCallbackData({ kind: 'reasons', nonce }),
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
    ...(complete && possible.includes('rejected') ? [sayWhy(nonce)] : []),
  ];
}

/** One button for each reason, below the message that offers them. */
export function reasonButtons(nonce: string): Button[] {
  const reasons = Object.entries(PRESET_REASONS) as [keyof typeof PRESET_REASONS, string][];
  return reasons.map(([reason, text], row) => ({
    text: `❌ ${text.charAt(0).toUpperCase()}${text.slice(1)}`,
    data: wordsCallbackData({ kind: 'preset', nonce, reason }),
    row,
  }));
}

/** The buttons that send the words of a reply with a decision. */
export function replyButtons(nonce: string): Button[] {
  const send = (verdict: Verdict) => wordsCallbackData({ kind: 'reply', nonce, verdict });
  return [
    { text: '❌ Reject with this reason', data: send('rejected'), style: 'danger', row: 0 },
    { text: '✅ Approve with this note', data: send('approved'), style: 'success', row: 1 },
  ];
}
