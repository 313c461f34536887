import type { ToolShapes } from '../policy/tool-shapes';
import type { AgentAdapter } from './adapter';
import { ACP_TOOL_SHAPES } from './acp/acp-tools';
import { CLAUDE_CODE } from './claude-code/claude-code';
import { COPILOT } from './copilot/copilot';
import { CURSOR_TOOL_SHAPES } from './cursor/cursor-tools';
import { GEMINI_TOOL_SHAPES } from './gemini/gemini-tools';
import { MCP } from './mcp/mcp';

/** Every adapter. One that is not addressed by a refused call is asked in this order whether the body is its own. */
export const ADAPTERS: readonly AgentAdapter[] = [MCP, CLAUDE_CODE, COPILOT];

/** The tools of every agent as a policy reads them. */
export const TOOL_SHAPES: ToolShapes = new Map([
  ...ADAPTERS.flatMap(({ tools }) => [...tools]),
  ...ACP_TOOL_SHAPES,
  ...CURSOR_TOOL_SHAPES,
  ...GEMINI_TOOL_SHAPES,
]);
