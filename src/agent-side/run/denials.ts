import { span } from '../../cards/moments';
import { NOBODY_SAID_NO } from '../../agents/answers';
import type { Approval } from '../client/approval-wire';

/** Message to the model for a request that was not approved: who rejected it and why, or that nobody decided. */
export function denialOf({ status, decision, reason, createdAt, expiresAt }: Approval): string {
  if (decision !== null) {
    const why = decision.reason === null ? ', without a reason.' : `: ${decision.reason}`;
    return `Rejected by ${decision.by.name}${why}`;
  }
  if (status === 'cancelled') {
    return `Countersign: the request was cancelled${reason === null ? '' : ` (${reason})`}. ${NOBODY_SAID_NO}.`;
  }
  const within = span(Date.parse(createdAt), Date.parse(expiresAt));
  return `Countersign: nobody answered within ${within}. ${NOBODY_SAID_NO}; ask again if it is still needed.`;
}

/** Message to the model if the request could not be made, or its answer did not arrive or verify. */
export function failureOf(why: string): string {
  return `Countersign: ${why}. ${NOBODY_SAID_NO}: the tool did not run because it could not be asked for.`;
}
