import { request, type IncomingHttpHeaders } from 'node:http';
import { json } from 'node:stream/consumers';
import { AGENT_KEY } from './well-known';

export interface HookAnswer {
  readonly hookSpecificOutput?: {
    readonly hookEventName: string;
    readonly permissionDecision?: 'allow' | 'deny';
    readonly permissionDecisionReason?: string;
    readonly decision?: { readonly behavior: 'allow' | 'deny'; readonly message?: string };
  };
}

/** One call of the hook, as the client makes it: the headers come at once, the answer when there is one. */
export interface HookCall {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly answer: Promise<HookAnswer>;
  readonly hangUp: () => void;
}

let toolUses = 0;

/** A payload as Claude Code sends it before it uses a tool; each is a tool use of its own. */
export function preToolUse(more: Record<string, unknown> = {}): Record<string, unknown> {
  toolUses += 1;
  return {
    session_id: 'f3b1c7a4-0000-4000-8000-000000000001',
    transcript_path: '/home/dev/.claude/projects/shop/f3b1c7a4.jsonl',
    cwd: '/srv/shop',
    prompt_id: 'prompt-1',
    permission_mode: 'default',
    effort: { level: 'high' },
    hook_event_name: 'PreToolUse',
    tool_name: 'Bash',
    tool_input: { command: 'npm run deploy', description: 'Deploy the shop' },
    tool_use_id: `toolu_${String(toolUses).padStart(6, '0')}`,
    ...more,
  };
}

export function permissionRequest(more: Record<string, unknown> = {}): Record<string, unknown> {
  const asked = preToolUse({ hook_event_name: 'PermissionRequest', permission_suggestions: [], ...more });
  return Object.fromEntries(Object.entries(asked).filter(([name]) => name !== 'tool_use_id'));
}

export function callHook(
  url: string,
  payload: unknown,
  headers: Record<string, string> = {},
): Promise<HookCall> {
  return new Promise((resolve, reject) => {
    // A connection of its own, like that of another process.
    const call = request(`${url}/connectors/claude-code/hook`, {
      method: 'POST',
      agent: false,
      headers: { authorization: `Bearer ${AGENT_KEY}`, 'content-type': 'application/json', ...headers },
    });
    call.on('error', reject);
    call.on('response', (response) => {
      const answer = json(response) as Promise<HookAnswer>;
      // Who hangs up, or whose service dies, does not ask for it.
      answer.catch(() => undefined);
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        answer,
        hangUp: () => call.destroy(),
      });
    });
    call.end(typeof payload === 'string' ? payload : JSON.stringify(payload));
  });
}

/** The text for the model, and whether the tool runs. @throws Error for an answer that the client does not understand. */
export function verdictOf({ hookSpecificOutput: output }: HookAnswer): { allow: boolean; message: string } {
  if (output?.permissionDecision)
    return { allow: output.permissionDecision === 'allow', message: output.permissionDecisionReason ?? '' };
  if (output?.decision)
    return { allow: output.decision.behavior === 'allow', message: output.decision.message ?? '' };
  throw new Error('no decision');
}
