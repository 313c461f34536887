import type { ApprovalRequest } from '../approvals/approval';
import type { JsonObject } from '../kernel/json';

/**
 * True if the agent reads the words of an operator who approves. Claude Code reads them with `PreToolUse` only, and by its
 * permission prompt not at all: an approval has no member for them there (measured with 2.1.332).
 */
export function makesNoteReach({
  connector,
  toolName,
  metadata,
}: Pick<ApprovalRequest, 'connector' | 'toolName' | 'metadata'>): boolean {
  switch (connector) {
    case 'hook':
      return (metadata.claudeCode as JsonObject | undefined)?.event === 'PreToolUse';
    case 'mcp':
      return toolName === 'request_approval';
    case null:
    default:
      return true;
  }
}
