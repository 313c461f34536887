import { setTimeout as sleep } from 'node:timers/promises';
import type { NamedActor } from '../../kernel/actor';
import type { PolicyDecision } from '../../kernel/policy-verdict';
import type { PreToolUse } from './tool-calls';

/** The members of an approval that the demo reads. */
export interface AskedApproval {
  readonly id: string;
  readonly status: 'pending' | 'approved' | 'rejected' | 'expired' | 'cancelled';
  readonly decision: {
    readonly by: NamedActor;
    readonly reason: string | null;
  } | null;
  readonly reason: string | null;
  readonly policy: { readonly decision: PolicyDecision; readonly rules: readonly string[] } | null;
}

/** Less than the service's limit of 55 s for one call. */
const WAIT_SECONDS = 30;
const WITHDRAWN_WITHIN_MS = 2000;

/** A scripted agent: turns hook payloads into approval requests and waits until they are settled. */
export class DemoAgent {
  private readonly stopping = new AbortController();
  private asked: Promise<AskedApproval> | null = null;

  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  /**
   * Asks with the tool call's own id as the key, so that a retry joins the same request.
   *
   * @param run the session: a grant of an earlier run answers nothing in this one
   */
  ask(call: PreToolUse, run: string, timeoutSeconds?: number): Promise<AskedApproval> {
    this.asked = this.request('/api/approvals', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': `${run}:${call.tool_use_id}` },
      body: JSON.stringify({
        agentId: 'claude-code',
        sessionId: run,
        toolName: call.tool_name,
        toolInput: call.tool_input,
        toolUseId: call.tool_use_id,
        cwd: call.cwd,
        metadata: { permissionMode: call.permission_mode },
        ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      }),
    });
    return this.asked;
  }

  /** @returns the settled approval; waits without a limit. */
  async settled(id: string): Promise<AskedApproval> {
    for (;;) {
      const approval = await this.request(`/api/approvals/${id}?wait=${WAIT_SECONDS}`, {
        signal: this.stopping.signal,
      });
      if (approval.status !== 'pending') return approval;
    }
  }

  /** Ends the wait and cancels the last request, since nothing waits for its answer any more. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.withdraw().catch(() => undefined), sleep(WITHDRAWN_WITHIN_MS)]);
  }

  private async withdraw(): Promise<void> {
    const approval = await this.asked;
    if (!approval) return;
    await this.request(`/api/approvals/${approval.id}/cancel`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'the demo was stopped' }),
    });
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
