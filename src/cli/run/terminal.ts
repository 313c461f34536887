import type { RunEvent } from '../../agent-side/run/run-claude';
import { shortId } from '../../cards/short-id';
import { visibleLine } from '../../cards/visible-text/visible-text';
import { utc } from '../../cards/moments';
import { endingOf } from '../approvals/approval-text';

/** Matches Claude Code's messages about a missing login. */
const LOGGED_OUT = /not logged in|\/login|invalid api key/i;

/** The line that an event prints on the terminal. */
export function eventLine(event: RunEvent): string {
  switch (event.kind) {
    case 'asked':
    case 'joined': {
      const { id, toolName, expiresAt } = event.approval;
      const verb = event.kind === 'asked' ? 'asked the operators for' : 'an earlier run had asked for';
      return `… ${verb} ${visibleLine(toolName)}: request ${shortId(id)}, until ${utc(new Date(expiresAt))}`;
    }
    case 'allowed':
      return `✓ ${shortId(event.approval.id)} ${endingOf(event.approval)}`;
    case 'denied':
      return `✗ ${visibleLine(event.toolName)} does not run. ${visibleLine(event.message)}`;
    case 'retracted': {
      const which = event.approval === null ? 'A request' : shortId(event.approval.id);
      return `✗ ${which} is no longer wanted: ${event.why}`;
    }
    case 'trouble':
      return `! ${visibleLine(event.message)}`;
    case 'grants':
      return `… ${event.count} request${event.count === 1 ? '' : 's'} of an earlier run may still serve, once each`;
    case 'kept': {
      const again = event.denied === 0 ? '' : `, ${event.denied} call${event.denied === 1 ? '' : 's'} denied`;
      return `Session ${event.sessionId}${again}: --resume ${event.sessionId} goes on with it (${event.path})`;
    }
    case 'failed':
      return LOGGED_OUT.test(event.message)
        ? '! Claude Code is not logged in: start claude once and use /login, or set ANTHROPIC_API_KEY'
        : `! Claude Code failed: ${visibleLine(event.message)}`;
  }
}
