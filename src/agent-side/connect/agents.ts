import { CLAUDE_CODE } from './agents/claude-code';
import { CODEX } from './agents/codex';
import { COPILOT } from './agents/copilot';
import { CURSOR } from './agents/cursor';
import { GEMINI_CLI } from './agents/gemini';
import { OPENCODE } from './agents/opencode';
import type { ConnectedAgent } from './connected-agent';

/** The agents that `connect` and `doctor --agents` know, in the order in which they are shown. */
export const AGENTS: readonly ConnectedAgent[] = [CLAUDE_CODE, COPILOT, CODEX, GEMINI_CLI, OPENCODE, CURSOR];
