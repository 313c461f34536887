import { CHANNELS } from '../../kernel/actor';
import { visibleLine } from '../../cards/visible-text/visible-text';
import { span } from '../../cards/moments';
import { NOBODY_SAID_NO } from '../../agents/answers';
import type { Approval } from '../client/approval-wire';

/** Message to the model for a request that was not approved: who rejected it and why, or that nobody decided. */
export function denialOf({ status, decision, reason, createdAt, expiresAt }: Approval): string {
  switch (status) {
    case 'rejected': {
      const why =
        decision === null || decision.reason === null ? ', without a reason.' : `: ${decision.reason}`;
      return `Rejected by ${decision?.by.name ?? 'an operator'}${why}`;
    }
    case 'cancelled':
      return `Countersign: the request was cancelled${reason === null ? '' : ` (${reason})`}. ${NOBODY_SAID_NO}.`;
    case 'expired': {
      const why = reason ?? `nobody answered within ${span(Date.parse(createdAt), Date.parse(expiresAt))}`;
      return `Countersign: ${why}. ${NOBODY_SAID_NO}; ask again if it is still needed.`;
    }
    default:
      return `Countersign: the service answered “${visibleLine(status)}”, which this version does not know. The tool did not run: upgrade countersign on the machine of the agent.`;
  }
}

/** Message to the model with the words of a person who approved; null without any. */
export function noteWith({ toolName, decision }: Approval): string | null {
  if (decision === null || decision.reason === null || !isChannel(decision.by.kind)) return null;
  return `A note of ${decision.by.name}, who approved ${visibleLine(toolName)}: ${decision.reason}`;
}

const isChannel = (kind: string): boolean => CHANNELS.some((channel) => channel === kind);

/** Message to the model if the request could not be made, or its answer did not arrive or verify. */
export function failureOf(why: string): string {
  return `Countersign: ${why}. ${NOBODY_SAID_NO}: the tool did not run because it could not be asked for.`;
}
