import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  LATEST_PROTOCOL_VERSION,
  type CallToolResult,
  type Progress,
} from '@modelcontextprotocol/sdk/types.js';
import { Api, type ApprovalJson } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey, keyIs, revokeKey } from '../support/keys';
import { callApprove, mcpSession, postMcp as post } from '../support/mcp-client';
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
    expect(await acknowledged(request.id)).toBe('answered');
  });

  it('answers with the reason of the operator', async () => {
    const { result, request } = await calling('approve', permission());
    await api.decide(request.id, 'rejected', 'not on a Friday');
    expect(decisionOf(await result)).toEqual({
      behavior: 'deny',
      message: 'Rejected by bootstrap-operator: not on a Friday',
    });
  });

  it('answers with the input of a question and the answers of the operator', async () => {
    const options = [{ label: 'Red', description: 'A colour' }];
    const input = { questions: [{ question: 'Which?', header: 'Which', multiSelect: false, options }] };
    const { result, request } = await calling('approve', permission({ tool_name: 'AskUserQuestion', input }));
    await api.answer(request.id, { 'Which?': ['Red'] });
    expect(decisionOf(await result)).toEqual({
      behavior: 'allow',
      updatedInput: { ...input, answers: { 'Which?': 'Red' } },
    });
  });

  it('denies a question of an unknown form, which nobody could answer, says where to ask it, and asks nobody', async () => {
    const args = permission({ tool_name: 'AskUserQuestion', input: { questions: [] } });
    const result = (await client.callTool({ name: 'approve', arguments: args })) as CallToolResult;
    expect(decisionOf(result)).toEqual({
      behavior: 'deny',
      message: expect.stringContaining('write it in your reply') as string,
    });
    const path = '/api/approvals?limit=200';
    const { body } = await api.call<{ items: ApprovalJson[] }>('agent', 'GET', path);
    expect(body.items.map(({ toolInput }) => toolInput)).not.toContainEqual({ questions: [] });
  });

  it('after a lost connection joins the request of the same tool use in the same session, at another replica', async () => {
    const session = await mcpSession(here.url);
    const call = { command: 'make deploy', toolUseId: 'call_0' };
    const lost = await callApprove(here.url, call, { session, id: 1 });
    await until('it waits', () => here.feed.size === 1);
    const { id } = await newest();
    lost.hangUp();
    await until('nobody waits', async () => {
      const [row] = await database.query<{ left: boolean }>(
        `select departed = joined + 1 as left from approvals where id = $1`,
        [id],
      );
      return row?.left;
    });
    const again = await callApprove(there.url, call, { session, id: 2 });
    await until('it waits again', () => there.feed.size === 1);
    expect((await newest()).id).toBe(id);
    await api.decide(id, 'approved');
    expect(await again.decision).toMatchObject({ behavior: 'allow' });
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

describe('gate', () => {
  const gated = (tool_input: string) => ({ session_id: 'gated', tool_name: 'Bash', tool_input });

  it.each([
    ['the text of an object', '{"command":"ls","timeout":5}', { command: 'ls', timeout: 5 }],
    ['text that only begins like one', '{ make; ls; }', { input: '{ make; ls; }' }],
    ['the text of a list', '["ls"]', { input: '["ls"]' }],
  ])('takes %s for the input', async (_what, text, toolInput) => {
    const call = await calling('gate', gated(text));
    expect(call.request.toolInput).toEqual(toolInput);
    await api.decide(call.request.id, 'rejected');
    await call.result;
  });

  it.each([
    ['two readings', '{"command":"ls","command":"rm"}', /tool_input\.command: is given more than once/],
    ['too many members', `{"command":[${'{},'.repeat(60_000)}{}]}`, /tool_input: holds more than 50000/],
  ])('denies the text of an object with %s', async (_what, text, reason) => {
    const result = (await client.callTool({ name: 'gate', arguments: gated(text) })) as CallToolResult;
    expect(decisionOf(result)).toMatchObject({
      hookSpecificOutput: {
        permissionDecision: 'deny',
        permissionDecisionReason: expect.stringMatching(reason) as string,
      },
    });
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

  it('is not cancelled from another session, where the same id is another call', async () => {
    const { client: one } = await connect(here.url);
    const { result, request } = await calling('request_approval', { question: 'Whose?' }, one);
    const { mcp } = request.metadata as { mcp: { requestId: number } };
    const params = { requestId: mcp.requestId };
    const cancellation = { jsonrpc: '2.0', method: 'notifications/cancelled', params };
    const other = { 'mcp-session-id': await mcpSession(here.url) };
    for (const headers of [{}, other]) expect((await post(here.url, cancellation, headers)).status).toBe(202);
    await api.decide(request.id, 'approved');
    expect((await result).structuredContent).toMatchObject({ approved: true });
  });

  it('is none of those asked over REST, when the notification names no call', async () => {
    const shared = await mcpSession(here.url);
    const { body: asked } = await api.enqueue({ sessionId: shared });
    const response = await post(
      here.url,
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: {} },
      { 'mcp-session-id': shared },
    );
    expect(response.status).toBe(202);
    expect((await api.get(asked.id)).body.status).toBe('pending');
  });

  it('is none of those asked over REST, whatever they claim', async () => {
    const { client: one, sessionId = '' } = await connect(here.url);
    const { request } = await calling('request_approval', { question: 'Whose?' }, one);
    const { mcp } = request.metadata as { mcp: { requestId: number } };
    const { body: forged } = await api.enqueue({ sessionId, metadata: { mcp } });
    const params = { requestId: mcp.requestId };
    const cancellation = { jsonrpc: '2.0', method: 'notifications/cancelled', params };
    expect((await post(here.url, cancellation, { 'mcp-session-id': sessionId })).status).toBe(202);
    expect((await api.get(request.id)).body.status).toBe('cancelled');
    expect((await api.get(forged.id)).body.status).toBe('pending');
  });

  it.each(['', 'x'])('shows a long reason that is cut between two characters', async (shift) => {
    const { abort, request } = await calling('request_approval', { question: 'Long?' });
    abort(shift + '😀'.repeat(600));
    const reason = await until('cancelled', async () => (await api.get(request.id)).body.reason);
    expect(reason.length).toBeLessThanOrEqual(1000);
    expect(reason).toMatch(/^the client took the call back: x?(?:😀)+…$/u);
  });

  it('is cancelled when its client hangs up', async () => {
    const controller = new AbortController();
    const before = here.feed.size;
    await post(here.url, callOf('request_approval', { question: 'Gone?' }), {}, controller.signal);
    await until('it waits', () => here.feed.size === before + 1);
    const { id } = await newest();
    controller.abort();
    await until('cancelled', async () => (await api.get(id)).body.status === 'cancelled');
    expect(await acknowledged(id)).toBe('gone');
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

describe('a quiet call', () => {
  beforeEach(() => {
    // All but the intervals, on which the signs of life are.
    jest.useFakeTimers({
      doNotFake: [
        'Date',
        'hrtime',
        'nextTick',
        'performance',
        'queueMicrotask',
        'setImmediate',
        'clearImmediate',
        'setTimeout',
        'clearTimeout',
      ],
    });
  });
  afterEach(() => jest.useRealTimers());

  it.each([
    [
      'progress where the client asked for it',
      { progressToken: 'p' },
      /"progress":2/,
      /"progressToken":"p","progress":1\b/,
    ],
    ['a comment where it did not', {}, /^:.*\n\n/m, /^$/],
  ])('shows %s, every 15 s', async (_what, meta, later, atOnce) => {
    const before = here.feed.size;
    const response = await post(here.url, callOf('request_approval', { question: 'Still there?' }, meta));
    await until('it waits', () => here.feed.size === before + 1);
    let text = '';
    const read = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array);
    })();
    await until('what comes at once', () => atOnce.test(text));
    expect(text).not.toMatch(later);
    jest.advanceTimersByTime(15_000);
    await until('a sign of life', () => later.test(text));
    await api.decide((await newest()).id, 'rejected');
    await read;
  });

  it('shows no more to a client that does not read', async () => {
    const before = here.feed.size;
    const meta = { progressToken: 'p'.repeat(3 * 1024 * 1024) };
    const response = await post(here.url, callOf('request_approval', { question: 'Unread?' }, meta));
    await until('it waits', () => here.feed.size === before + 1);
    jest.advanceTimersByTime(4 * 15_000);
    await api.decide((await newest()).id, 'rejected');
    const text = await response.text();
    // One at once, and one if that was taken.
    expect(text.match(/notifications\/progress/g)?.length).toBeLessThanOrEqual(2);
    expect(text).toContain('"result"');
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

describe('a call of a tool that is refused', () => {
  const callText = (input: string, name = 'approve'): string =>
    `{"method":"tools/call","params":{"name":"${name}","arguments":{"tool_name":"Bash","input":{"command":${input}}}},"jsonrpc":"2.0","id":"seven"}`;
  const count = async (): Promise<unknown> => database.query('select count(*) from approvals');
  const asList = { accept: 'application/json' };

  it.each<[string, string, Record<string, string>, RegExp]>([
    ['a key that is not known', callText('"ls"'), { authorization: 'Bearer wrong' }, /valid API key/],
    ['an operator key', callText('"ls"'), { authorization: `Bearer ${OPERATOR_KEY}` }, /role agent/],
    ['a body that is too large', callText(`"${'x'.repeat(5 * 1024 * 1024)}"`), {}, /large|KiB|MiB/],
    ['a duplicate key', callText('"ls","command":"rm"'), {}, /command/],
    ['a number that cannot be kept', callText('1e400'), {}, /number/],
    ['a lone surrogate', callText('"\\ud800"'), {}, /surrogate/],
    ['what is no JSON', callText('"ls"').replace('}}}', '}}').replace(/^\{/, '{"id":"seven",'), {}, /JSON/],
    ['a body of another type', callText('"ls"'), { 'content-type': 'text/plain' }, /application\/json/],
    ['a packed body', callText('"ls"'), { 'content-encoding': 'br' }, /Content-Encoding/],
    ['a client that takes no events', callText('"ls"'), asList, /text\/event-stream/],
    ['an unknown version', callText('"ls"'), { 'mcp-protocol-version': '1999-12-31' }, /protocol version/],
  ])('for %s is a denial, and asks nobody', async (_what, body, headers, message) => {
    const before = await count();
    const response = await post(here.url, body, headers);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    const { id, result } = (await response.json()) as { id: unknown; result: CallToolResult };
    expect(id).toBe('seven');
    expect(decisionOf(result)).toEqual({
      behavior: 'deny',
      message: expect.stringMatching(message) as string,
    });
    expect(await count()).toEqual(before);
  });

  it.each(['%6dcp', 'mcp%20', 'mcp;x', 'MCP', 'm-c-p', 'mcp/v1'])('is a denial at %s', async (spelt) => {
    const at = `${here.url}/connectors/${spelt}?path=`;
    const response = await post(at, callText('"ls"'), { authorization: 'Bearer wrong' });
    expect(response.status).toBe(200);
    const { result } = (await response.json()) as { result: CallToolResult };
    expect(decisionOf(result)).toMatchObject({ behavior: 'deny' });
  });

  it('while its key has too much open is a denial', async () => {
    const full = await openTestApp(database.url, { APPROVAL_MAX_PENDING_PER_AGENT: '1' });
    const { body: asked } = await api.enqueue();
    const [answer] = await messagesIn(await post(full.url, callText('"ls"')));
    expect(decisionOf((answer as { result: CallToolResult }).result)).toMatchObject({ behavior: 'deny' });
    await api.cancel(asked.id);
    await full.close();
  });

  it('by a key that is used too often is a denial', async () => {
    const busy = await openTestApp(database.url, { RATE_LIMIT_AGENT_PER_MINUTE: '1' });
    const key = await issueKey(database, 'agent', 'too-often');
    await keyIs(true, busy.url, key);
    const authorization = `Bearer ${key}`;
    await new Api(busy.url, { agent: key, operator: OPERATOR_KEY }).enqueue();
    const [answer] = await messagesIn(await post(busy.url, callText('"ls"'), { authorization }));
    expect(decisionOf((answer as { result: CallToolResult }).result)).toMatchObject({ behavior: 'deny' });
    await busy.close();
  });

  it('is an error of any other tool', async () => {
    const response = await post(here.url, callText('"ls"', 'request_approval'), {
      authorization: 'Bearer wrong',
    });
    const { result } = (await response.json()) as { result: CallToolResult };
    expect(result).toMatchObject({ isError: true });
    expect(textOf(result)).toContain('Nobody approved it');
  });

  it('is refused beside the other requests of its batch', async () => {
    const batch = `[${callText('"ls"')},${JSON.stringify(ping(2))}]`;
    const response = await post(here.url, batch, { authorization: 'Bearer wrong' });
    expect(await response.json()).toMatchObject([
      { id: 'seven', result: { content: [{ text: expect.stringContaining('deny') as string }] } },
      { id: 2, error: { message: expect.stringContaining('API key') as string } },
    ]);
  });

  it('and any other message is refused by HTTP', async () => {
    const response = await post(
      here.url,
      { ...ping(1), params: { name: 'approve' } },
      { authorization: 'Bearer x' },
    );
    expect(response.status).toBe(401);
  });
});

const ping = (id: string | number) => ({ jsonrpc: '2.0', id, method: 'ping' });

const initialize = (protocolVersion: string) => ({
  jsonrpc: '2.0',
  id: 'first',
  method: 'initialize',
  params: { protocolVersion, capabilities: {}, clientInfo: { name: 'test', version: '1' } },
});

/** Always with the id 1, as every client begins. */
const callOf = (name: string, args: object, meta: object = {}) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: args, _meta: meta },
});

const messagesIn = async (response: Response): Promise<unknown[]> =>
  [...(await response.text()).matchAll(/^event: message\ndata: (.*)\n\n/gm)].map(
    ([, data = '']) => JSON.parse(data) as unknown,
  );

describe('the endpoint', () => {
  it('offers its three tools', async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['approve', 'request_approval', 'gate']);
  });

  it('needs an agent key', async () => {
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    expect((await post(here.url, list, { authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await post(here.url, list, { authorization: `Bearer ${OPERATOR_KEY}` })).status).toBe(403);
  });

  it.each([
    ['no JSON', '{'],
    ['an empty body', ''],
  ])('refuses %s', async (_what, body) => {
    expect((await post(here.url, body)).status).toBe(400);
  });

  it.each<[string, unknown, Record<string, string>, number, number]>([
    ['null', 'null', {}, 400, -32600],
    ['no message', {}, {}, 400, -32600],
    ['no message among others', [ping(1), {}], {}, 400, -32600],
    ['a request whose id is null', { ...ping(1), id: null }, {}, 400, -32600],
    ['a request whose id is an object', { ...ping(1), id: {} }, {}, 400, -32600],
    ['more than 100 messages', Array.from({ length: 101 }, (_, id) => ping(id)), {}, 400, -32600],
    ['an initialization among others', [initialize('2025-06-18'), ping(2)], {}, 400, -32600],
    [
      'a protocol version that it does not know',
      ping(1),
      { 'mcp-protocol-version': '1999-12-31' },
      400,
      -32000,
    ],
    ['a client that takes no events', ping(1), { accept: 'application/json' }, 406, -32000],
    ['a client that takes nothing but events', ping(1), { accept: 'text/event-stream' }, 406, -32000],
  ])('refuses %s in the words of JSON-RPC', async (_what, message, headers, status, code) => {
    const response = await post(here.url, message, headers);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      error: { code, message: expect.any(String) as string },
      id: null,
    });
  });

  it.each([
    ['another media type', { 'content-type': 'text/plain' }, '{}'],
    ['no media type and no body', {}, null],
  ])('refuses %s', async (_what, headers, body) => {
    const response = await fetch(`${here.url}/connectors/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${AGENT_KEY}`,
        accept: 'application/json, text/event-stream',
        ...headers,
      },
      body,
    });
    expect(response.status).toBe(415);
  });

  it.each([
    ['2024-11-05', '2024-11-05'],
    ['1999-12-31', LATEST_PROTOCOL_VERSION],
  ])('asked for protocol version %s, speaks %s and names a session', async (asked, spoken) => {
    const response = await post(here.url, initialize(asked), { 'mcp-protocol-version': '1999-12-31' });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(response.headers.get('mcp-session-id')).toMatch(/./);
    expect(response.headers.get('x-frame-options')).toBe('DENY');
    expect(await messagesIn(response)).toMatchObject([
      { id: 'first', result: { protocolVersion: spoken, serverInfo: { name: 'countersign' } } },
    ]);
  });

  it('takes a notification without an answer', async () => {
    const response = await post(here.url, { jsonrpc: '2.0', method: 'notifications/initialized' });
    expect(response.status).toBe(202);
    expect(await response.text()).toBe('');
  });

  it('answers every request of a batch, then ends', async () => {
    const response = await post(here.url, [
      ping('a'),
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      ping(0),
      { jsonrpc: '2.0', id: 2, method: 'prompts/list' },
      { jsonrpc: '2.0', id: 3, method: 'tools/call', params: {} },
    ]);
    const answers = await messagesIn(response);
    expect(answers).toHaveLength(4);
    expect(answers).toEqual(
      expect.arrayContaining([
        { jsonrpc: '2.0', id: 'a', result: {} },
        { jsonrpc: '2.0', id: 0, result: {} },
        expect.objectContaining({ id: 2, error: { code: -32601, message: 'Method not found' } }),
        expect.objectContaining({ id: 3, result: expect.objectContaining({ isError: true }) as object }),
      ]),
    );
  });

  it('tells calls with the same id apart', async () => {
    const before = here.feed.size;
    const responses = await Promise.all(
      ['one', 'another'].map((question) => post(here.url, callOf('request_approval', { question }))),
    );
    await until('both wait', () => here.feed.size === before + 2);
    const { body } = await api.call<{ items: ApprovalJson[] }>('agent', 'GET', '/api/approvals?limit=2');
    for (const { id, toolInput } of body.items)
      await api.decide(id, 'rejected', `not ${(toolInput as { question: string }).question}`);
    const [one, another] = await Promise.all(responses.map(messagesIn));
    expect(one).toMatchObject([{ id: 1, result: { structuredContent: { reason: 'not one' } } }]);
    expect(another).toMatchObject([{ id: 1, result: { structuredContent: { reason: 'not another' } } }]);
  });

  it('knows no other tool', async () => {
    await expect(client.callTool({ name: 'allow', arguments: {} })).rejects.toThrow(/no tool allow/);
  });

  it('says what is wrong with the parameters of a call, as a denial, and answers the rest of the batch', async () => {
    const call = {
      jsonrpc: '2.0',
      id: 'bad',
      method: 'tools/call',
      params: { name: 'approve', arguments: [] },
    };
    const answers = await messagesIn(await post(here.url, [call, ping('good')]));
    expect(answers).toMatchObject([
      { id: 'bad', result: { content: [{ type: 'text' }] } },
      { id: 'good', result: {} },
    ]);
    expect(decisionOf((answers[0] as { result: CallToolResult }).result)).toEqual({
      behavior: 'deny',
      message: expect.stringMatching(/params\.arguments: .+Nobody approved it/) as string,
    });
  });

  it('denies a call that asks to run as a task', async () => {
    const [answer] = await messagesIn(
      await post(here.url, {
        ...ping(1),
        method: 'tools/call',
        params: { name: 'approve', arguments: permission(), task: { ttl: 1000 } },
      }),
    );
    expect(decisionOf((answer as { result: CallToolResult }).result)).toMatchObject({ behavior: 'deny' });
  });

  it.each([
    ['GET', {}],
    ['DELETE', {}],
    ['DELETE', { 'content-type': 'application/json' }],
  ])('has no stream of its own and no session to end: %s with %j', async (method, headers) => {
    const response = await fetch(`${here.url}/connectors/mcp`, {
      method,
      headers: { authorization: `Bearer ${AGENT_KEY}`, ...headers },
    });
    expect(response.status).toBe(405);
  });

  it('takes media types in capital letters', async () => {
    const response = await post(here.url, ping(1), { accept: 'Application/JSON, Text/Event-Stream' });
    expect(response.status).toBe(200);
  });

  it.each([
    ['made up', () => Promise.resolve('11111111-1111-4111-8111-111111111111')],
    [
      'of another key',
      async () => {
        const key = await issueKey(database, 'agent', 'stranger-mcp');
        await keyIs(true, here.url, key);
        return mcpSession(here.url, key);
      },
    ],
  ])('does not know a session that is %s', async (_what, sessionOf) => {
    const response = await post(here.url, ping(1), { 'mcp-session-id': await sessionOf() });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: -32001 } });
  });

  it('serves a session that another replica began', async () => {
    const { sessionId } = await connect(here.url);
    const { client: moved } = await connect(there.url, sessionId);
    expect((await moved.listTools()).tools).toHaveLength(3);
  });
});
