import { COPILOT as AGENT } from '../../cards/known-agents/copilot';
import { httpHook } from '../http-hook-adapter';
import { CONNECTOR, hookOutput, questionOf } from './copilot-hook';
import { COPILOT_TOOLS } from './copilot-tools';

/** Copilot CLI's HTTP hook. With `--allow-all-tools` Copilot CLI runs the tool after a timeout or an unreadable answer. */
export const COPILOT = httpHook({
  agent: AGENT,
  tools: COPILOT_TOOLS,
  connector: CONNECTOR,
  route: 'copilot/hook',
  summary: 'Copilot CLI HTTP hook: preToolUse in, the decision out',
  eventMember: null,
  callMember: null,
  gating: () => 'preToolUse' as const,
  question: questionOf,
  reply: hookOutput,
  reportTaker: null,
});
