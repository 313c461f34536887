import { AGENT_KEY } from './well-known';

/** As the permission prompt of Claude Code is answered. */
export interface Decision {
  readonly behavior: 'allow' | 'deny';
  readonly message?: string;
  readonly updatedInput?: unknown;
}

export function postMcp(
  url: string,
  message: unknown,
  headers: Record<string, string> = {},
  signal: AbortSignal | null = null,
): Promise<Response> {
  return fetch(`${url}/connectors/mcp`, {
    method: 'POST',
    signal,
    headers: {
      authorization: `Bearer ${AGENT_KEY}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: typeof message === 'string' ? message : JSON.stringify(message),
  });
}

/** Begins a session, as every client does. @returns its id. */
export async function mcpSession(url: string, key = AGENT_KEY): Promise<string> {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const response = await postMcp(
    url,
    { jsonrpc: '2.0', id: 0, method: 'initialize', params },
    { authorization: `Bearer ${key}` },
  );
  await response.text();
  return response.headers.get('mcp-session-id') ?? '';
}

export interface ApproveCall {
  /** Null: its connection was lost before there was one. */
  readonly decision: Promise<Decision | null>;
  readonly hangUp: () => void;
}

/** A call of the tool `approve`, open until it is answered. */
export async function callApprove(
  url: string,
  args: { readonly command: string; readonly toolUseId?: string },
  { session, key = AGENT_KEY, id = 1 }: { session?: string; key?: string; id?: number } = {},
): Promise<ApproveCall> {
  const controller = new AbortController();
  const response = await postMcp(
    url,
    {
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: {
        name: 'approve',
        arguments: { tool_name: 'Bash', input: { command: args.command }, tool_use_id: args.toolUseId },
      },
    },
    {
      authorization: `Bearer ${key}`,
      ...(session === undefined ? {} : { 'mcp-session-id': session }),
    },
    controller.signal,
  );
  return { decision: response.text().then(decisionIn, () => null), hangUp: () => controller.abort() };
}

/** The decision in an answer, as an event or as plain JSON. */
export function decisionIn(answer: string): Decision {
  const [, data = answer] = /^data: (.*)$/m.exec(answer.replace(/^data: (?!.*"result").*$/gm, '')) ?? [];
  const { result } = JSON.parse(data) as { result: { content: [{ text: string }] } };
  return JSON.parse(result.content[0].text) as Decision;
}
