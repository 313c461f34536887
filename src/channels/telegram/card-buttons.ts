import {
  possibleVerdicts,
  type Approval,
  type ApprovalRequest,
  type Verdict,
} from '../../approvals/approval';
import { answersIn, questionsOf, type AskedQuestion } from '../../kernel/questions';
import { needsPasskey } from '../../kernel/requirement';
import { labelOf } from '../../cards/question-text';
import { nameOfClaimer } from '../../kernel/claim';
import { clockTime, utcMinute } from '../../cards/moments';
import { visibleLine } from '../../cards/visible-text/visible-text';
import type { Button } from './operator-chat';
import { answerCallbackData } from './operators/answer-data';
import { beginning } from '../../cards/excerpt';
import {
  callbackData,
  claimCallbackData,
  grantCallbackData,
  PRESET_REASONS,
  shortDigest,
  turnCallbackData,
  takeBackCallbackData,
  wordsCallbackData,
} from './operators/callback-data';

/** Telegram cuts longer texts of buttons on a phone. */
const MAX_NAMES = 30;

const approve = (nonce: string, progress: string): Button => ({
  text: `✅ Approve${progress}`,
  data: callbackData({ verdict: 'approved', nonce, complete: true }),
  style: 'success',
});

/** Opens the request in the console, where a passkey approves it. Telegram opens only addresses with TLS. */
const approveThere = ({ id }: ApprovalRequest, progress: string, consoleUrl: string | null): Button[] =>
  consoleUrl?.startsWith('https:')
    ? [{ text: `🔑 Approve in the console${progress}`, url: `${consoleUrl}/console/requests/${id}` }]
    : [];

const reject = (nonce: string, { complete = true, more = '' } = {}): Button => ({
  text: `❌ Reject${more}`,
  data: callbackData({ verdict: 'rejected', nonce, complete }),
  style: 'danger',
});

const takeBack = (nonce: string): Button => ({
  text: '↩️ Take mine back',
  data: takeBackCallbackData(nonce),
});

/** The people who have approved so far, where several must: ` (1 of 2: olivia)`. */
function progressOf({ required, decisions }: Approval): string {
  if (required === null || required.approvals === 1) return '';
  const names = decisions.flatMap(({ verdict, person }) =>
    verdict === 'approved' && person !== null ? person : [],
  );
  const who = names.length === 0 ? '' : `: ${beginning(names.join(', '), MAX_NAMES)}`;
  return ` (${names.length} of ${required.approvals}${who})`;
}

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

/**
 * The buttons of a request with a chain that decide nothing. A claim that has ended stays on the card until the next step begins:
 * its times tell.
 */
function claimButtons({ policy, claim, extension, createdAt, expiresAt }: Approval, nonce: string): Button[] {
  if (policy?.claimSeconds === undefined) return [];
  const name = claim && beginning(visibleLine(nameOfClaimer(claim)), MAX_NAMES);
  const since = claim && `${clockTime(claim.at)}–${clockTime(claim.until)} UTC`;
  const isOn = claim?.kind === 'claimed';
  const until = extension && ` · until ${utcMinute(expiresAt, createdAt)}`;
  return [
    {
      text: isOn ? `🙋 ${name} · ${since}` : "🙋 I'm on it",
      data: claimCallbackData({ kind: 'claim', nonce }),
    },
    {
      text: claim && !isOn ? `💤 ${name} · ${since}` : '💤 5 min',
      data: claimCallbackData({ kind: 'snooze', nonce }),
    },
    { text: `⏰ +15 min${until ?? ''}`, data: claimCallbackData({ kind: 'more-time', nonce }) },
  ];
}

interface Offered {
  readonly complete?: boolean;
  /** True if a grant may be made from the request. */
  readonly grants?: boolean;
  /** Address of the console; null: there is none. */
  readonly consoleUrl?: string | null;
}

/** Where the policy asks for a passkey, no tap approves or answers. */
const isSignedElsewhere = ({ required }: ApprovalRequest): boolean =>
  required !== null && needsPasskey(required);

/**
 * Buttons for the possible decisions. Without the complete action there is no Approve; where the policy asks for a passkey, a link
 * stands in its place.
 */
export function buttonsFor(
  approval: Approval,
  nonce: string,
  { complete = true, grants = false, consoleUrl = null }: Offered = {},
): Button[] {
  const questions = complete && !isSignedElsewhere(approval) ? questionsOf(approval) : null;
  if (questions)
    return inRows([
      ...answerButtons(questions, nonce),
      ...claimButtons(approval, nonce),
      reject(nonce),
      sayWhy(nonce),
    ]);
  const possible = possibleVerdicts(approval);
  // The tap only asks for the reason.
  const more = approval.policy?.needsReason ? ' …' : '';
  const approvals = isSignedElsewhere(approval)
    ? approveThere(approval, progressOf(approval), consoleUrl)
    : complete
      ? [approve(nonce, `${progressOf(approval)}${more}`)]
      : [];
  return [
    ...(possible.includes('approved') ? approvals : []),
    ...(possible.includes('rejected') ? [reject(nonce, { complete, more })] : []),
    ...(complete && grants ? [allowMore(nonce)] : []),
    ...(complete && possible.includes('rejected') ? [sayWhy(nonce)] : []),
    ...(approval.required !== null && approval.decisions.length > 0 ? [takeBack(nonce)] : []),
    ...claimButtons(approval, nonce),
  ];
}

/** The options of a lone question; else the button that opens a sheet for the answers. */
function answerButtons(questions: readonly AskedQuestion[], nonce: string): Button[] {
  const [question] = questions;
  if (question && questions.length === 1 && !question.isMultiple)
    return question.options.map((label, option) => ({
      text: `${option + 1} · ${labelOf(label)}`,
      data: answerCallbackData({ kind: 'option', nonce, option }),
    }));
  const chosen = questions.map(() => 0);
  const canChoose = questions.every(({ options }) => options.length > 0);
  return canChoose
    ? [{ text: '✍️ Answer …', data: answerCallbackData({ kind: 'open', nonce, chosen }), style: 'success' }]
    : [];
}

/** Each button in a row of its own, but the last two, which share one. */
const inRows = (buttons: readonly Button[]): Button[] =>
  buttons.map((button, nth) => ({ ...button, row: Math.min(nth, buttons.length - 2) }));

/** The options of all questions, marked where they are chosen, and the button that sends them. */
export function sheetButtons(
  questions: readonly AskedQuestion[],
  chosen: readonly number[],
  nonce: string,
): Button[] {
  const options = questions.flatMap(({ options: labels, isMultiple }, i) =>
    labels.map((label, option): Button => {
      const bit = 1 << option;
      const now = chosen[i] ?? 0;
      const next = isMultiple ? now ^ bit : bit;
      return {
        text: `${(now & bit) === 0 ? '▫️' : '✅'} ${questions.length === 1 ? '' : `${i + 1} · `}${labelOf(label)}`,
        data: answerCallbackData({
          kind: 'choose',
          nonce,
          chosen: chosen.map((bits, n) => (n === i ? next : bits)),
        }),
      };
    }),
  );
  const send: Button = {
    text: '📨 Send answers',
    data: answerCallbackData({ kind: 'send', nonce, chosen }),
    style: 'success',
  };
  const isComplete = chosen.every((bits) => bits !== 0);
  return [...options, ...(isComplete ? [send] : [])].map((button, row) => ({ ...button, row }));
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

/** The buttons that send the words of a reply: as an answer if they are one, else with a decision. */
export function replyButtons(request: ApprovalRequest, text: string, nonce: string): Button[] {
  const send = (verdict: Verdict) => wordsCallbackData({ kind: 'reply', nonce, verdict });
  const questions = questionsOf(request);
  const rejection: Button = { text: '❌ Reject with this reason', data: send('rejected'), style: 'danger' };
  const approval: Button = {
    text: questions ? '💬 Answer with this' : '✅ Approve with this note',
    data: send('approved'),
    style: 'success',
  };
  const isAnswer = questions !== null && answersIn(text, questions) !== null;
  const approvals = isSignedElsewhere(request) ? [] : [approval];
  const buttons = questions ? [...(isAnswer ? approvals : []), rejection] : [rejection, ...approvals];
  return buttons.map((button, row) => ({ ...button, row }));
}

/** Decide about all calls that the summary of a turn shows, as the digest names them. */
export function turnButtons(nonce: string, digest: string, calls: number): Button[] {
  const data = (verdict: Verdict) => turnCallbackData({ verdict, nonce, calls: shortDigest(digest) });
  return [
    { text: `✅ Approve all ${calls}`, data: data('approved'), style: 'success' },
    { text: `❌ Reject all ${calls}`, data: data('rejected'), style: 'danger' },
  ];
}
