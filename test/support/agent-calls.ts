import { request } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { mcpSession } from './mcp-client';
import { AGENT_KEY } from './well-known';

export interface AgentVerdict {
  readonly allow: boolean;
  readonly message: string;
}

/** One way in which an agent asks for a shell command. */
export interface AgentCalls {
  readonly name: string;
  readonly connector: string;
  readonly path: string;
  /** The name that the agent has for its shell. */
  readonly tool: string;
  /** A new session of the agent. */
  readonly session: (url: string, key: string) => Promise<string>;
  readonly body: (command: string, session: string) => object;
  readonly headers?: (session: string) => Record<string, string>;
  /** Null for an answer that the agent does not take for a decision. */
  readonly read: (answer: Record<string, unknown>) => AgentVerdict | null;
  /** True if the agent sends `Countersign-Wait-Seconds`, and is answered by then. */
  readonly hasDeadline: boolean;
}

let calls = 0;
const newSession = () => Promise.resolve(`session-${++calls}`);

const asText = (value: unknown): string => (typeof value === 'string' ? value : '');

const CLAUDE_CODE: AgentCalls = {
  name: 'Claude Code’s hook',
  connector: 'hook',
  path: '/connectors/claude-code/hook',
  tool: 'Bash',
  session: newSession,
  body: (command, session) => ({
    hook_event_name: 'PreToolUse',
    session_id: session,
    cwd: '/srv/shop',
    permission_mode: 'default',
    tool_name: 'Bash',
    tool_input: { command },
    tool_use_id: `toolu_${++calls}`,
  }),
  read: ({ hookSpecificOutput: output }) => {
    const { permissionDecision: decision, permissionDecisionReason: reason } = output as Record<
      string,
      unknown
    >;
    return { allow: decision === 'allow', message: asText(reason) };
  },
  hasDeadline: true,
};

const COPILOT: AgentCalls = {
  name: 'Copilot CLI’s hook',
  connector: 'copilot',
  path: '/connectors/copilot/hook',
  tool: 'bash',
  session: newSession,
  // The same for each call: Copilot CLI sends no id of the call, and parallel calls may have the same time.
  body: (command, session) => ({
    sessionId: session,
    timestamp: 1_796_040_601_639,
    cwd: '/srv/shop',
    toolName: 'bash',
    toolArgs: { command, description: 'A command' },
  }),
  read: ({ permissionDecision: decision, permissionDecisionReason: reason }) =>
    typeof decision === 'string' ? { allow: decision === 'allow', message: asText(reason) } : null,
  hasDeadline: true,
};

const APPROVE: AgentCalls = {
  name: 'MCP approve',
  connector: 'mcp',
  path: '/connectors/mcp',
  tool: 'Bash',
  session: mcpSession,
  body: (command) => ({
    jsonrpc: '2.0',
    id: ++calls,
    method: 'tools/call',
    params: {
      name: 'approve',
      arguments: { tool_name: 'Bash', input: { command }, tool_use_id: `toolu_${calls}` },
    },
  }),
  headers: (session) => ({ 'mcp-session-id': session, accept: 'application/json, text/event-stream' }),
  read: ({ result }) => {
    const { content } = result as { content: readonly { text: string }[] };
    const { behavior, message } = JSON.parse(content[0]?.text ?? '') as Record<string, unknown>;
    return { allow: behavior === 'allow', message: asText(message) };
  },
  hasDeadline: false,
};

const GATE: AgentCalls = {
  name: 'MCP gate',
  connector: 'mcp',
  path: '/connectors/mcp',
  tool: 'Bash',
  session: newSession,
  body: (command, session) => ({
    jsonrpc: '2.0',
    id: ++calls,
    method: 'tools/call',
    params: {
      name: 'gate',
      arguments: {
        session_id: session,
        turn_id: 'turn-1',
        tool_use_id: 'call_0',
        tool_name: 'Bash',
        tool_input: JSON.stringify({ command }),
        cwd: '/srv/shop',
        permission_mode: 'default',
      },
    },
  }),
  headers: () => ({ accept: 'application/json, text/event-stream' }),
  read: ({ result }) => {
    const { content, isError } = result as { content: readonly { text: string }[]; isError?: boolean };
    // Codex and Claude Code run the tool after an error of their hook.
    return isError === true
      ? null
      : CLAUDE_CODE.read(JSON.parse(content[0]?.text ?? '') as Record<string, unknown>);
  },
  hasDeadline: true,
};

/** Each way in which an agent asks over HTTP; a test compares them with the adapters. */
export const AGENT_CALLS: readonly AgentCalls[] = [CLAUDE_CODE, COPILOT, APPROVE, GATE];

export interface OpenCall {
  /** Rejects if the connection is lost. */
  readonly verdict: Promise<AgentVerdict>;
  readonly hangUp: () => void;
}

/** Asks as the agent does. `body`: sent as it is in place of the agent's own. */
export function askAs(
  agent: AgentCalls,
  url: string,
  { command = 'make deploy', session = 'none', key = AGENT_KEY, body, headers = {} }: Asked,
): OpenCall {
  // A connection of its own, like that of another process.
  const call = request(`${url}${agent.path}`, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      ...agent.headers?.(session),
      ...headers,
    },
  });
  const verdict = new Promise<AgentVerdict>((resolve, reject) => {
    call.on('error', reject).on('response', (response) => {
      textOf(response).then((answer) => {
        const parsed = verdictIn(agent, response.statusCode ?? 0, answer);
        if (parsed === null) reject(new Error(`no decision: ${response.statusCode} ${answer}`));
        else resolve(parsed);
      }, reject);
    });
  });
  verdict.catch(() => undefined);
  call.end(body ?? JSON.stringify(agent.body(command, session)));
  return { verdict, hangUp: () => call.destroy() };
}

export interface Asked {
  readonly command?: string;
  readonly session?: string;
  readonly key?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function verdictIn(agent: AgentCalls, status: number, answer: string): AgentVerdict | null {
  if (status !== 200) return null;
  const data = answer
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .at(-1)
    ?.slice('data: '.length);
  return agent.read(JSON.parse(data ?? answer) as Record<string, unknown>);
}
