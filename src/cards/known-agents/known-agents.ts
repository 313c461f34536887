import type { JsonObject } from '../../kernel/json';
import { ACP } from './acp';
import { CLAUDE_CODE } from './claude-code';
import { CODEX } from './codex';
import { COPILOT } from './copilot';
import { CURSOR } from './cursor';
import { GEMINI } from './gemini';
import type { KnownAgent, KnownTool } from './known-agent';

/** Every agent whose tools cards know. Where two have a tool of the same name, the first counts. */
const KNOWN_AGENTS: readonly KnownAgent[] = [CLAUDE_CODE, CODEX, COPILOT, CURSOR, GEMINI, ACP];

/** Null for a tool of no agent; a caller of the REST API may use the names of an agent's tools. */
export function knownTool(toolName: string): KnownTool | null {
  return KNOWN_AGENTS.map(({ tool }) => tool(toolName)).find((tool) => tool !== null) ?? null;
}

/** The mode in which the agent of this request would run the tool after a failure of this service; null otherwise. */
export function unguardedMode(metadata: JsonObject): string | null {
  return KNOWN_AGENTS.map((agent) => agent.unguardedMode(metadata)).find((mode) => mode !== null) ?? null;
}

/** The kind of the subagent that asks; null for none. */
export function subagentOf(metadata: JsonObject): string | null {
  return KNOWN_AGENTS.map((agent) => agent.subagent(metadata)).find((kind) => kind !== null) ?? null;
}
