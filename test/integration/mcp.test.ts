import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { CallToolResult, Progress } from '@modelcontextprotocol/sdk/types.js';
import { Api, type ApprovalJson } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey, keyIs, revokeKey } from '../support/keys';
import { openTestApp, type OpenApp } from '../support/open-app';
import { until } from '../support/until';
import { AGENT_KEY, OPERATOR_KEY } from '../support/well-known';

let database: TestDatabase;
let here: OpenApp;
let there: OpenApp;
let api: Api;
let client: Client;

const clients: Client[] = [];
async function connect(
  url: string,
  sessionId?: string,
): Promise<{ client: Client; sessionId: string | undefined }> {
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/connectors/mcp`), {
    requestInit: { headers: { authorization: `Bearer ${AGENT_KEY}` } },
    ...(sessionId === undefined ? {} : { sessionId }),
  });
  const connected = new Client({ name: 'test', version: '1' });
  clients.push(connected);
  await connected.connect(transport);
  return { client: connected, sessionId: transport.sessionId };
}

beforeAll(async () => {
  database = await createTestDatabase();
  here = await openTestApp(database.url);
  there = await openTestApp(database.url);
  api = new Api(here.url);
  ({ client } = await connect(here.url));
});
afterAll(async () => {
  await Promise.all(clients.map((each) => each.close()));
  await Promise.all([here.close(), there.close()]);
  await database.drop();
});

async function newest(): Promise<ApprovalJson> {
  const { body } = await api.call<{ items: ApprovalJson[] }>('agent', 'GET', '/api/approvals?limit=1');
  if (!body.items[0]) throw new Error('nothing was asked');
  return body.items[0];
}

interface Called {
  readonly result: Promise<CallToolResult>;
  readonly progress: readonly Progress[];
  readonly abort: (reason: string) => void;
  readonly request: ApprovalJson;
}

/** A tool call that surely waits. */
async function calling(name: string, args: Record<string, unknown>, by = client, at = here): Promise<Called> {
  const before = at.feed.size;
  const controller = new AbortController();
  const progress: Progress[] = [];
  const result = by.callTool({ name, arguments: args }, undefined, {
    signal: controller.signal,
    onprogress: (each) => progress.push(each),
  }) as Promise<CallToolResult>;
  result.catch(() => undefined);
  await until('it waits', () => at.feed.size === before + 1);
  return { result, progress, abort: (reason) => controller.abort(reason), request: await newest() };
}

const textOf = ({ content: [first] }: CallToolResult): string => (first?.type === 'text' ? first.text : '');
const decisionOf = (result: CallToolResult): unknown => JSON.parse(textOf(result));
const acknowledged = (id: string) =>
  until('the acknowledgement', async () => (await api.get(id)).body.acknowledged);

const permission = (more: Record<string, unknown> = {}) => ({
  tool_name: 'Bash',
  input: { command: 'npm run deploy', timeout: 5 },
  tool_use_id: `toolu_${Math.random()}`,
  ...more,
});

describe('approve', () => {
  it('answers with the whole input that was approved, after progress at once', async () => {
    const args = permission();
    const { result, progress, request } = await calling('approve', args);
    expect(request).toMatchObject({
      agentId: 'bootstrap-agent',
      toolName: 'Bash',
      toolInput: args.input,
      toolUseId: args.tool_use_id,
    });
    await until('progress', () => progress.length > 0);
    await api.decide(request.id, 'approved');
    expect(decisionOf(await result)).toEqual({ behavior: 'allow', updatedInput: args.input });
    expect(await acknowledged(request.id)).toBe('resumed');
  });

  it('answers with the reason of the operator', async () => {
    const { result, request } = await calling('approve', permission());
    await api.decide(request.id, 'rejected', 'not on a Friday');
    expect(decisionOf(await result)).toEqual({
      behavior: 'deny',
      message: 'Rejected by bootstrap-operator: not on a Friday',
    });
  });

  it('joins the request of the same tool use, also at another replica and in another session', async () => {
    const args = permission();
    const { result, request } = await calling('approve', args);
    const { client: other } = await connect(there.url);
    const again = await calling('approve', args, other, there);
    expect(again.request.id).toBe(request.id);
    await api.decide(request.id, 'approved');
    for (const each of [result, again.result])
      expect(decisionOf(await each)).toMatchObject({ behavior: 'allow' });
  });

  it.each([
    ['no tool', { input: {} }],
    ['no input', { tool_name: 'Bash' }],
    ['an input that is no object', { tool_name: 'Bash', input: [] }],
  ])('denies with %s', async (_what, args) => {
    const result = (await client.callTool({ name: 'approve', arguments: args })) as CallToolResult;
    expect(decisionOf(result)).toMatchObject({ behavior: 'deny' });
  });
});

describe('request_approval', () => {
  it('tells who decided and why', async () => {
    const action = { method: 'DELETE', url: 'https://shop.example/orders/7' };
    const { result, request } = await calling('request_approval', {
      question: 'May I delete order 7?',
      action,
      timeoutSeconds: 600,
    });
    expect(request.toolInput).toEqual({ question: 'May I delete order 7?', action });
    expect(Date.parse(request.expiresAt) - Date.parse(request.createdAt)).toBe(600_000);
    await api.decide(request.id, 'approved', 'it is a duplicate');
    expect((await result).structuredContent).toEqual({
      approved: true,
      status: 'approved',
      approvalId: request.id,
      decidedBy: 'bootstrap-operator',
      reason: 'it is a duplicate',
      message: 'Approved by bootstrap-operator: it is a duplicate',
    });
  });

  it('tells that nobody answered, which is not no', async () => {
    const { result } = await calling('request_approval', { question: 'Anybody?', timeoutSeconds: 1 });
    const { structuredContent } = await result;
    expect(structuredContent).toMatchObject({ approved: false, status: 'expired', decidedBy: null });
    expect(structuredContent?.message).toMatch(/nobody answered within 1 second.*nobody said no/);
  });

  it('asks anew when it is called anew', async () => {
    const first = await calling('request_approval', { question: 'Once?' });
    await api.decide(first.request.id, 'approved');
    await first.result;
    const second = await calling('request_approval', { question: 'Once?' });
    expect(second.request.id).not.toBe(first.request.id);
    await api.decide(second.request.id, 'rejected');
    expect((await second.result).structuredContent).toMatchObject({ approved: false });
  });

  it.each([
    [{}, /question/],
    [{ question: 'x', timeout: 5 }, /timeout: unknown field/],
    [{ question: 'x', timeoutSeconds: 100_000 }, /timeoutSeconds: must be at most/],
  ])('refuses %j and says why', async (args, message) => {
    const result = (await client.callTool({ name: 'request_approval', arguments: args })) as CallToolResult;
    expect(result.isError).toBe(true);
    expect(textOf(result)).toMatch(message);
  });
});

describe('a cancelled call', () => {
  it('cancels its request, and no other', async () => {
    const other = await calling('request_approval', { question: 'Other?' });
    const { abort, request } = await calling('request_approval', { question: 'This?' });
    abort('the user pressed Escape');
    const { reason } = await until('cancelled', async () => {
      const { body } = await api.get(request.id);
      return body.status === 'cancelled' && body;
    });
    expect(reason).toContain('the user pressed Escape');
    expect((await api.get(other.request.id)).body.status).toBe('pending');
    await api.decide(other.request.id, 'rejected');
    await other.result;
  });

  it('is cancelled by the notification at another replica', async () => {
    const { client: one, sessionId } = await connect(here.url);
    const { request } = await calling('request_approval', { question: 'Elsewhere?' }, one);
    const { mcp } = request.metadata as { mcp: { requestId: number } };
    const response = await post(
      there.url,
      {
        jsonrpc: '2.0',
        method: 'notifications/cancelled',
        params: { requestId: mcp.requestId },
      },
      { 'mcp-session-id': sessionId ?? '' },
    );
    expect(response.status).toBe(202);
    await until('cancelled', async () => (await api.get(request.id)).body.status === 'cancelled');
    // Its stream is still open and takes an answer, but nobody goes on because of it.
    expect(await acknowledged(request.id)).toBe('gone');
  });
});

it('of a key that is revoked hears that it is denied, and not what is decided', async () => {
  const key = await issueKey(database, 'agent', 'revoked-mcp');
  await keyIs(true, here.url, key);
  const before = here.feed.size;
  const response = await post(
    here.url,
    {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'approve', arguments: permission() },
    },
    { authorization: `Bearer ${key}` },
  );
  await until('it waits', () => here.feed.size === before + 1);
  await revokeKey(database, 'revoked-mcp');
  const [, data = ''] = /^data: (.*)$/m.exec(await response.text()) ?? [];
  const { result } = JSON.parse(data) as { result: CallToolResult };
  expect(decisionOf(result)).toEqual({
    behavior: 'deny',
    message: expect.stringContaining('revoked') as string,
  });
});

function post(url: string, message: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/connectors/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${AGENT_KEY}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: typeof message === 'string' ? message : JSON.stringify(message),
  });
}

describe('the endpoint', () => {
  it('offers the two tools', async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['approve', 'request_approval']);
  });

  it('needs an agent key', async () => {
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    expect((await post(here.url, list, { authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await post(here.url, list, { authorization: `Bearer ${OPERATOR_KEY}` })).status).toBe(403);
  });

  it.each([
    ['no JSON', '{'],
    ['no message', '{}'],
    ['an empty body', ''],
  ])('refuses %s', async (_what, body) => {
    expect((await post(here.url, body)).status).toBe(400);
  });

  it('knows no other tool', async () => {
    await expect(client.callTool({ name: 'allow', arguments: {} })).rejects.toThrow(/no tool allow/);
  });

  it('has no stream of its own and no session to end', async () => {
    for (const method of ['GET', 'DELETE']) {
      const response = await fetch(`${here.url}/connectors/mcp`, {
        method,
        headers: { authorization: `Bearer ${AGENT_KEY}` },
      });
      expect(response.status).toBe(405);
    }
  });

  it('serves a session that another replica began', async () => {
    const { sessionId } = await connect(here.url);
    const { client: moved } = await connect(there.url, sessionId);
    expect((await moved.listTools()).tools).toHaveLength(2);
  });
});
