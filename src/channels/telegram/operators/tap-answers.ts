import type { DecidedApproval, PendingApproval, SettledApproval, Verdict } from '../../../approvals/approval';
import { labelActor, type Actor } from '../../../kernel/actor';
import { beginning } from '../../../cards/excerpt';
import { nameOfClaimer } from '../../../kernel/claim';
import { clockTime, utc } from '../../../cards/moments';
import { visibleLine } from '../../../cards/visible-text/visible-text';

/** Keeps the whole answer, which is plain text, below Telegram's limit of 200 characters. */
const MAX_NAME_LENGTH = 60;

export function decidedAnswer({ status, decision: { reason, answers } }: DecidedApproval): string {
  if (answers) return '✅ Answered by you. The agent goes on.';
  if (status === 'approved')
    return reason === null ? '✅ Approved by you. The agent goes on.' : '✅ Approved by you, with your note.';
  return reason === null
    ? '❌ Rejected by you. To give a reason, reply to the card.'
    : '❌ Rejected by you. The agent reads the reason.';
}

/** For a tap that asks for the reasons of a card. */
export function reasonsOfferedAnswer(): string {
  return '💬 Choose below the card, or reply to it. Nothing is decided yet.';
}

/** For a decision without the reason that its class demands. */
export function reasonRequiredAnswer(): string {
  return '💬 Nothing is decided yet: this needs your reason. Reply to the card with it, or choose one below the card.';
}

/** For a tap that changes the answers on their sheet. */
export function answersOfferedAnswer(): string {
  return '✍️ Choose below the card. Nothing is sent yet.';
}

/** For a tap on the words of another operator. */
export function wordsOfAnotherAnswer(): string {
  return '❓ Nothing was decided: another operator wrote these words. Reply to the card yourself.';
}

/** For a decision that needs more people. */
export function countedAnswer({ required, decisions }: PendingApproval): string {
  const count = (verdict: Verdict) =>
    new Set(
      decisions.flatMap((each) => (each.verdict === verdict && each.person !== null ? each.person : [])),
    ).size;
  return `🗳 Counted: ${count('approved')} of ${required?.approvals ?? 1} approvals, ${count('rejected')} of ${required?.rejections ?? 1} rejections. The agent waits.`;
}

export function countedBeforeAnswer(): string {
  return 'This tap counted before; nothing has changed.';
}

export function takenBackAnswer(): string {
  return '↩️ Taken back: you have no decision here any more. The agent waits.';
}

export const claimedAnswer = (): string =>
  '🙋 You are on it. Nothing is decided, and everybody may still decide.';

export const snoozedAnswer = (): string => '💤 This chat is reminded in 5 minutes. Nothing is decided.';

/** For a tap on the claim of another person. */
export function claimedByAnotherAnswer({ claim }: PendingApproval): string {
  const who = claim ? beginning(visibleLine(nameOfClaimer(claim)), MAX_NAME_LENGTH) : 'Another person';
  const until = claim ? ` until ${clockTime(claim.until)} UTC` : '';
  const what = claim?.kind === 'snoozed' ? '💤' : '🙋';
  const does = claim?.kind === 'snoozed' ? 'has snoozed it' : 'is on it';
  return `${what} ${who} ${does}${until}. Nothing is decided, and you may still decide.`;
}

/** For a tap that gave more time. The call of an agent that came by a connector has a deadline of its own. */
export function extendedAnswer({ expiresAt, connector }: PendingApproval): string {
  const deadline =
    connector === null ? '' : ' The agent’s own call may end earlier; the same call joins it again.';
  return `⏰ It waits until ${utc(expiresAt)}.${deadline}`;
}

export const noMoreTimeAnswer = (latest: Date): string =>
  `⏰ Nothing was changed: it may wait until ${utc(latest)} at the latest.`;

export const needsPasskeyAnswer = (): string =>
  '🔑 Not approved. The policy asks for your passkey: open the console, sign in with it, and approve there.';

/** For a person who may not decide this request. */
export function notEligibleAnswer(): string {
  return '🚫 Nothing was decided: the policy lets other people decide this, and never the one who asked.';
}

/** The final outcome, for a tap that came after it. */
export function settledAnswer(approval: SettledApproval): string {
  const at = utc(approval.settledAt);
  switch (approval.status) {
    case 'approved':
      return `✅ Already ${approval.decision.answers ? 'answered' : 'approved'} by ${nameOf(approval.decision.by)} at ${at}.`;
    case 'rejected':
      return `❌ Already rejected by ${nameOf(approval.decision.by)} at ${at}.`;
    case 'cancelled':
      return `🚫 Already cancelled by ${nameOf(approval.by)} at ${at}.`;
    case 'expired':
      return expiredAnswer(approval.expiresAt);
  }
}

export function expiredAnswer(expiresAt: Date): string {
  return `⌛ Too late: it expired at ${utc(expiresAt)}. Nothing was approved.`;
}

/** Alert for a person who is not an operator. */
export function notOperatorAnswer(userId: string): string {
  return `🚫 You are not an operator here (your Telegram id: ${beginning(visibleLine(userId), MAX_NAME_LENGTH)}). Nothing was decided.`;
}

/** For a tap whose sender is the group, a channel or Telegram's own account. */
export function anonymousAnswer(): string {
  return '🚫 Anonymous, you are not an operator here: nobody can tell who taps. Nothing was decided. Turn off “Remain anonymous” in your administrator rights, then tap again.';
}

/** For a tap that has no result when its answer is due. */
export function stillWorkingAnswer(): string {
  return '⏳ Still working: the database is slow. The card will show the outcome. If it keeps its buttons, tap again.';
}

/** For an operator who exceeds the rate limit. */
export function tooManyAnswer(retryAfterSeconds: number): string {
  return `⏳ Too many decisions. Nothing was decided; tap again in ${retryAfterSeconds} s.`;
}

/** For an operator who turns pages and looks for cards faster than the limit allows. */
export function tooManyAnswersAnswer(): string {
  return '⏳ Too many questions to the bot. Wait a minute, then tap again.';
}

/** For a verdict on a question that only the terminal can answer. */
export function notDecidableAnswer(): string {
  return '❓ Nothing was decided: answer this question at the terminal where the agent runs.';
}

/** For a button that is not, or no longer, valid. */
export function unknownButtonAnswer(): string {
  return '❓ This button is not valid any more. See /pending for what waits.';
}

export function stoppedAnswer(isNew: boolean): string {
  return isNew
    ? '🛑 Stopped by you: no rule allows anything. An admin resumes.'
    : '🛑 The rules were stopped already.';
}

/** For a tap on the confirmation of another operator’s stop. */
export function stopOfAnotherAnswer(): string {
  return '❓ Nothing was stopped: another operator sent this /stop. Send /stop yourself.';
}

/** For a tap that confirms a stop after its minute. */
export function stopTooLateAnswer(): string {
  return '⌛ Nothing was stopped: this button is valid for a minute. Send /stop again.';
}

/** For a tap that failed because of an error in the service. */
export function failedAnswer(): string {
  return '⚠️ That failed here. Tap again: if it was decided after all, you will be told so.';
}

function nameOf(actor: Actor): string {
  return beginning(visibleLine(labelActor(actor)), MAX_NAME_LENGTH);
}

/** For a tap that asks for the grants of a card. */
export function grantsOfferedAnswer(): string {
  return '⏱ Choose below the card. Nothing is approved yet.';
}

export function grantsNoneAnswer(): string {
  return '⏱ Nothing was granted: no grant can be made from this request any more.';
}

export function grantedAnswer(expiresAt: Date): string {
  return `✅ Approved by you, and the next ones like it until ${utc(expiresAt)}.`;
}

/** For a late approval that was made a grant of one use. */
export function grantedOnceAnswer(expiresAt: Date): string {
  return `✅ Allowed once by you, if the agent asks for exactly this again until ${utc(expiresAt)}.`;
}

/** `isNew`: false if the grant had ended before. */
export function revokedAnswer(isNew: boolean): string {
  return isNew ? '🚫 Revoked by you. Everything like it asks again.' : '🚫 This grant had ended already.';
}

/** For a tap that decided calls of a turn; `others`: the number of those that it could not decide. */
export function turnDecidedAnswer(verdict: Verdict, calls: number, others: number): string {
  const rest = others === 0 ? '' : ` Not ${others} of them: ended before, or to be decided on a card.`;
  return verdict === 'approved'
    ? `✅ ${calls} approved by you.${rest || ' The agent goes on.'}`
    : `❌ ${calls} rejected by you.${rest} To give one reason for all, reply to this message.`;
}

/** For a tap on a summary that shows other calls by now. */
export function turnOutdatedAnswer(): string {
  return '🔄 Nothing was decided: this message has changed. Read it again, then tap.';
}

/** For a tap on a summary whose calls have all ended. */
export function turnOverAnswer(): string {
  return '⌛ Nothing was decided: none of these calls can be decided here any more. Their cards say why.';
}
