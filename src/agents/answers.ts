import {
  unansweredReason,
  type ApprovalRequest,
  type Hold,
  type SettledApproval,
} from '../approvals/approval';
import { labelActor } from '../kernel/actor';
import { DomainError } from '../kernel/errors';

/** All that a held call keeps of its request while it waits. */
export type Awaited = Pick<ApprovalRequest, 'id' | 'keyId' | 'expiresAt'> & {
  readonly status: 'pending';
  /** Every place of its chain refuses it; missing: somebody may see it. */
  readonly isUnreachable?: true;
};

/** The end of a held call: the request was settled, or the wait ended. */
export type Ending =
  /** This call took the outcome; no other call may answer with it. */
  | { readonly kind: 'settled'; readonly approval: SettledApproval; readonly hold: Hold }
  /** Another call took over while this one was considered lost. */
  | { readonly kind: 'superseded'; readonly approval: SettledApproval }
  /** The wait ended: at the call's deadline, because this replica stops, or because the caller hung up. */
  | { readonly kind: 'deadline' | 'stopping' | 'gone'; readonly approval: Awaited };

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

/** The answer to an agent. `allow` is true only for an approval; in any doubt the call fails closed. */
export interface Answer {
  readonly kind: (typeof ANSWER_KINDS)[number];
  readonly allow: boolean;
  /** Text for the model: who decided and how, or that nobody decided, which is not a rejection. */
  readonly message: string;
}

/** Advice for a model that asks a question through a call that operators can only approve or reject. */
export const QUESTION_ADVICE =
  'a question cannot be answered by an approval; write it in your reply, and it is answered where you run';

/** The end of a call and its answer; the ending is null if the request could not be made. */
export interface Outcome {
  readonly answer: Answer;
  readonly ending: Ending | null;
}

export const NOBODY_SAID_NO = 'It was not approved, and nobody said no';

function settledMessage(approval: SettledApproval): string {
  switch (approval.status) {
    case 'approved':
    case 'rejected': {
      const { by, reason } = approval.decision;
      const verdict = approval.status === 'approved' ? 'Approved' : 'Rejected';
      if (approval.decision.answers && reason === null) return `Answered by ${labelActor(by)}.`;
      return `${verdict} by ${labelActor(by)}${reason === null ? ', without a reason.' : `: ${reason}`}`;
    }
    case 'expired':
      return `Countersign: ${approval.reason ?? unansweredReason(approval)}. ${NOBODY_SAID_NO}; ask again if it is still needed.`;
    case 'cancelled': {
      const why = approval.reason === null ? '' : ` (${approval.reason})`;
      return `Countersign: the request was cancelled by ${labelActor(approval.by)}${why}. ${NOBODY_SAID_NO}.`;
    }
  }
}

function stillOpen({ expiresAt }: Awaited): string {
  return `${NOBODY_SAID_NO}: the request stays open until ${expiresAt.toISOString()}, and the same call joins it.`;
}

export function answerTo({ kind, approval }: Ending): Answer {
  switch (kind) {
    case 'settled':
      // The call that was approved is known by its digest only: the input that would be answered is empty.
      if (approval.status === 'approved' && approval.erasure)
        return {
          kind: 'failed',
          allow: false,
          message:
            'Countersign: approved, but the input was erased before a call had the answer; ask again if it is still needed.',
        };
      return {
        kind: approval.status,
        allow: approval.status === 'approved',
        message: settledMessage(approval),
      };
    case 'deadline':
      return {
        kind,
        allow: false,
        message: `Countersign: ${approval.isUnreachable ? 'nobody could be reached yet' : 'nobody has answered yet'}. ${stillOpen(approval)}`,
      };
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

/** The error text for the caller: only a domain error's message is meant for callers; others stay in the log. */
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
