import { CLAUDE_CODE as AGENT } from '../../cards/known-agents/claude-code';
import { httpHook } from '../http-hook-adapter';
import { CONNECTOR } from './claude-code-events';
import { gatingEventNamed, hookOutput, parseHook, questionOf } from './claude-code-hook';
import { ClaudeCodeReports } from './claude-code-reports';
import { CLAUDE_CODE_TOOLS } from './claude-code-tools';

/** Claude Code's HTTP hook. In some permission modes Claude Code runs the tool after a failure of its hook. */
export const CLAUDE_CODE = httpHook({
  agent: AGENT,
  tools: CLAUDE_CODE_TOOLS,
  connector: CONNECTOR,
  route: 'claude-code/hook',
  summary:
    'Claude Code HTTP hook: PreToolUse or PermissionRequest in, the decision out; reports of what became of it in, {} out',
  eventMember: 'hook_event_name',
  callMember: 'tool_name',
  gating: gatingEventNamed,
  question: (body, caller) => questionOf(parseHook(body), caller),
  reply: hookOutput,
  reportTaker: ClaudeCodeReports,
});
