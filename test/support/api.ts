import type { Acknowledgement } from '../../src/approvals/approval';
import { AGENT_KEY, OPERATOR_KEY } from './well-known';

export interface ApprovalJson {
  readonly id: string;
  readonly status: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly settledAt: string | null;
  readonly inputDigest: string;
  readonly toolInput: Record<string, unknown>;
  readonly decision: {
    readonly by: { kind: string; id: string; name: string };
    readonly reason: string | null;
  } | null;
  readonly reason: string | null;
  readonly acknowledged: Acknowledgement | null;
  readonly [field: string]: unknown;
}

export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
  readonly headers: Headers;
}

/** The body of a request whose content does not matter. */
export function requestBody(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    agentId: 'claude-code',
    sessionId: 'session-1',
    toolName: 'Bash',
    toolInput: { command: 'npm run deploy' },
    ...more,
  };
}

/** The REST API as its callers use it. */
export class Api {
  constructor(
    readonly url: string,
    private readonly keys: { agent: string; operator: string } = { agent: AGENT_KEY, operator: OPERATOR_KEY },
  ) {}

  async call<Body = ApprovalJson>(
    role: 'agent' | 'operator' | null,
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<Body>> {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(role === null ? {} : { authorization: `Bearer ${this.keys[role]}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? null : JSON.parse(text)) as Body,
    };
  }

  enqueue(
    more: Record<string, unknown> = {},
    headers: Record<string, string> = {},
  ): Promise<Answer<ApprovalJson>> {
    return this.call('agent', 'POST', '/api/approvals', requestBody(more), headers);
  }

  get(id: string, waitSeconds = 0): Promise<Answer<ApprovalJson>> {
    return this.call('agent', 'GET', `/api/approvals/${id}?wait=${waitSeconds}`);
  }

  /** The requests that the query selects, as an operator sees them. */
  async list(query: string): Promise<readonly ApprovalJson[]> {
    const path = `/api/approvals?${query}`;
    return (await this.call<{ items: ApprovalJson[] }>('operator', 'GET', path)).body.items;
  }

  decide(id: string, decision: 'approved' | 'rejected', reason?: string): Promise<Answer<ApprovalJson>> {
    return this.call('operator', 'POST', `/api/approvals/${id}/decision`, {
      decision,
      ...(reason ? { reason } : {}),
    });
  }

  answer(id: string, answers: Readonly<Record<string, readonly string[]>>): Promise<Answer<ApprovalJson>> {
    return this.call('operator', 'POST', `/api/approvals/${id}/decision`, { decision: 'approved', answers });
  }

  acknowledge(id: string, outcome: Acknowledgement): Promise<Answer<ApprovalJson>> {
    return this.call('agent', 'POST', `/api/approvals/${id}/ack`, { outcome });
  }

  cancel(id: string, reason?: string, role: 'agent' | 'operator' = 'agent'): Promise<Answer<ApprovalJson>> {
    return this.call(role, 'POST', `/api/approvals/${id}/cancel`, reason ? { reason } : {});
  }
}
