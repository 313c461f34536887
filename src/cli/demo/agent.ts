import type { PreToolUse } from './tool-calls';

/** The members of an approval that the demo reads. */
export interface AskedApproval {
  readonly id: string;
  readonly status: 'pending' | 'approved' | 'rejected' | 'expired' | 'cancelled';
  readonly decision: {
    readonly by: { readonly kind: string; readonly id: string; readonly name: string };
    readonly reason: string | null;
  } | null;
  readonly reason: string | null;
}

/** Under the service's limit of 55 s for one call. */
const WAIT_SECONDS = 30;

/** A scripted agent: turns hook payloads into approval requests and waits for their end. */
export class DemoAgent {
  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  /** Asks under the tool call's own id, so that asking again is the same request. */
  ask(call: PreToolUse, run: string, timeoutSeconds?: number): Promise<AskedApproval> {
    return this.request('/api/approvals', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': `${run}:${call.tool_use_id}` },
      body: JSON.stringify({
        agentId: 'claude-code',
        sessionId: call.session_id,
        toolName: call.tool_name,
        toolInput: call.tool_input,
        toolUseId: call.tool_use_id,
        cwd: call.cwd,
        metadata: { permissionMode: call.permission_mode },
        ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      }),
    });
  }

  /** @returns the settled approval; waits as long as it takes. */
  async settled(id: string): Promise<AskedApproval> {
    for (;;) {
      const approval = await this.request(`/api/approvals/${id}?wait=${WAIT_SECONDS}`, {});
      if (approval.status !== 'pending') return approval;
    }
  }

  private async request(path: string, init: RequestInit): Promise<AskedApproval> {
    const response = await fetch(`${this.url}${path}`, {
      ...init,
      headers: {
        ...(init.headers as Record<string, string> | undefined),
        authorization: `Bearer ${this.key}`,
      },
    });
    if (!response.ok) throw new Error(`${path}: HTTP ${response.status} ${await response.text()}`);
    return (await response.json()) as AskedApproval;
  }
}
