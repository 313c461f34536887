import { unansweredReason, type Approval, type Hold, type SettledApproval } from '../approvals/approval';
import { DomainError } from '../kernel/errors';

/** How a held call ended: with the request, or with the wait. */
export type Ending =
  /** Taken by this call, which alone may tell it. */
  | { readonly kind: 'settled'; readonly approval: SettledApproval; readonly hold: Hold }
  /**
   * The time of the call was up, this replica stops, the caller hung up, or another call came back for the same answer
   * while this one was thought lost; the request may go on.
   */
  | { readonly kind: 'deadline' | 'stopping' | 'gone' | 'superseded'; readonly approval: Approval };

export const ANSWER_KINDS = [
  'approved',
  'rejected',
  'expired',
  'cancelled',
  'deadline',
  'stopping',
  'gone',
  'superseded',
  'failed',
] as const;

/** What an agent is told. `allow` is true only for an approval; on any doubt the tool does not run. */
export interface Answer {
  readonly kind: (typeof ANSWER_KINDS)[number];
  readonly allow: boolean;
  /** For the model: who said what, or that nobody said anything, which is not "no". */
  readonly message: string;
}

/** For a model whose question would be put to operators as if it were an action. */
export const QUESTION_ADVICE =
  'a question cannot be answered by an approval; write it in your reply, and it is answered where you run';

/** How a call ended and what it is told; without an ending when it could not even be asked. */
export interface Outcome {
  readonly answer: Answer;
  readonly ending: Ending | null;
}

const NOBODY_SAID_NO = 'It was not approved, and nobody said no';

function settledMessage(approval: SettledApproval): string {
  switch (approval.status) {
    case 'approved':
    case 'rejected': {
      const { by, reason } = approval.decision;
      const verdict = approval.status === 'approved' ? 'Approved' : 'Rejected';
      return `${verdict} by ${by.name}${reason === null ? ', without a reason.' : `: ${reason}`}`;
    }
    case 'expired':
      return `Countersign: ${unansweredReason(approval)}. ${NOBODY_SAID_NO}; ask again if it is still needed.`;
    case 'cancelled': {
      const why = approval.reason === null ? '' : ` (${approval.reason})`;
      return `Countersign: the request was cancelled by ${approval.by.name}${why}. ${NOBODY_SAID_NO}.`;
    }
  }
}

function stillOpen({ expiresAt }: Approval): string {
  return `${NOBODY_SAID_NO}: the request stays open until ${expiresAt.toISOString()}, and the same call joins it.`;
}

export function answerTo({ kind, approval }: Ending): Answer {
  switch (kind) {
    case 'settled':
      return {
        kind: approval.status,
        allow: approval.status === 'approved',
        message: settledMessage(approval),
      };
    case 'deadline':
      return { kind, allow: false, message: `Countersign: nobody has answered yet. ${stillOpen(approval)}` };
    case 'stopping':
      return {
        kind,
        allow: false,
        message: `Countersign: restarting, nobody decided. ${stillOpen(approval)}`,
      };
    case 'superseded':
      return { kind, allow: false, message: 'Countersign: a later call for the same was given the answer.' };
    case 'gone':
      return { kind, allow: false, message: `Countersign: the caller hung up. ${stillOpen(approval)}` };
  }
}

/** What the caller may know of an error: a domain's message is written for it, any other stays here. */
function explanation(error: unknown): string {
  if (!(error instanceof DomainError)) return 'something went wrong in the service; its log tells what';
  return error.message.replace(/\.$/, '');
}

export function failure(reason: string): Answer {
  return {
    kind: 'failed',
    allow: false,
    message: `Countersign could not ask: ${reason}. Nobody approved it.`,
  };
}

export function failureOf(error: unknown): Answer {
  return failure(explanation(error));
}
