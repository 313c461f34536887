import type { ApprovalRequest, DecidedApproval } from '../approvals/approval';
import { answersIn, questionsOf } from '../kernel/questions';
import { renderAnswers } from './question-text';
import { bold, join, rich, words, type RichText } from './rich-text';
import { shorten } from './shorten';
import { makesNoteReach } from './note-reach';
import { visibleLine } from './visible-text/visible-text';
import { who } from './who';

/** Longest reason that the service accepts, in UTF-16 units; each may be shown as `\u{10ffff}`. */
const MAX_WORDS_LENGTH = 3000;

const shown = (text: string): RichText => shorten(visibleLine(text), MAX_WORDS_LENGTH);

export const NO_NOTE = 'With an approval, this agent reads no note: only the card and the records keep it.';

/** The reasons below a card, for an operator who wants to reject with one of them. */
export function renderReasonOffers(): RichText {
  return join(
    [
      rich`❌ ${bold('Reject, and tell the agent why?')}`,
      'Or reply to the card in your own words: you can then reject with them, or approve with them as a note.',
    ],
    '\n',
  );
}

/** The words of an operator who replied to a card, above the buttons that send them. */
export function renderReplyOffer(text: string, request: ApprovalRequest): RichText {
  return join(
    [rich`💬 ${bold('Nothing is decided yet.')} Your words: ${shown(text)}`, ...hintsFor(text, request)],
    '\n',
  );
}

function hintsFor(text: string, request: ApprovalRequest): string[] {
  const questions = questionsOf(request);
  if (questions === null) return makesNoteReach(request) ? [] : [NO_NOTE];
  if (answersIn(text, questions) !== null) return [];
  return [`To answer ${questions.length} questions, reply with ${questions.length} lines, one for each.`];
}

/** The message of the words or answers, once they are sent. */
export function renderWordsSent({ status, decision: { by, reason, answers } }: DecidedApproval): RichText {
  if (answers) return join([rich`✅ Answered by ${who(by)}`, ...renderAnswers(answers)], '\n');
  const verdict = status === 'approved' ? '✅ Approved' : '❌ Rejected';
  return rich`${words(verdict)} by ${who(by)}: ${shown(reason ?? '')}`;
}
