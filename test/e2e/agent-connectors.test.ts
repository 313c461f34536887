import type { ApprovalJson } from '../support/api';
import { Api } from '../support/api';
import { outboxDrained } from '../support/chaos';
import { callHook, preToolUse, verdictOf } from '../support/hook-client';
import { cleanUp, Service } from '../support/processes';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

let backdrop: Backdrop;
let wire: TcpProxy;
let service: Service;
let api: Api;

beforeAll(async () => {
  backdrop = await setBackdrop();
  wire = await startTcpProxy(backdrop.database.url);
});
beforeEach(async () => {
  service = await Service.start({ ...backdrop.environment, DATABASE_URL: wire.url });
  api = new Api(service.url);
});
afterEach(async () => {
  // What is being sent when a process dies stays leased for longer than the next test waits.
  await outboxDrained(backdrop.database);
  service.killGroup();
  await service.ended;
});
afterAll(async () => {
  await cleanUp();
  await wire.close();
  await strike();
});

/** A hook whose request is stored, and the request. */
async function waiting(payload: Record<string, unknown>) {
  const call = await callHook(service.url, payload);
  const request = await until('the request', async () => {
    const { body } = await api.call<{ items: ApprovalJson[] }>('agent', 'GET', '/api/approvals?limit=5');
    return body.items.find(({ toolUseId }) => toolUseId === payload.tool_use_id);
  });
  return { call, request };
}

async function restarted(): Promise<void> {
  service = await Service.start({ ...backdrop.environment, DATABASE_URL: wire.url });
  api = new Api(service.url);
}

/** The last line of an MCP answer, which carries the result. */
async function callTool(args: Record<string, unknown>): Promise<string> {
  const response = await fetch(`${service.url}/connectors/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${AGENT_KEY}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'approve', arguments: args },
    }),
  });
  return response.text();
}

it('at SIGTERM hook and MCP are told that nobody decided, and the same call at the next service is answered', async () => {
  const payload = preToolUse();
  const { call, request } = await waiting(payload);
  const asked = callTool({ tool_name: 'Bash', input: { command: 'make' }, tool_use_id: 'toolu_mcp' });
  await until('both wait', async () => {
    const rows = await backdrop.database.query(`select 1 from approvals where status = 'pending'`);
    return rows.length === 2;
  });
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  const { allow, message } = verdictOf(await call.answer);
  expect(allow).toBe(false);
  expect(message).toMatch(/restarting, nobody decided/);
  const told = await asked;
  expect(told).toMatch(/restarting, nobody decided/);
  expect(told).not.toContain('allow');

  await restarted();
  expect((await api.get(request.id)).body).toMatchObject({ status: 'pending', acknowledged: null });
  const again = await callHook(service.url, payload);
  await api.decide(request.id, 'approved');
  expect(verdictOf(await again.answer).allow).toBe(true);
});

it('after kill -9 the hook has no answer, the request stands, and the same call joins it', async () => {
  const payload = preToolUse();
  const { call, request } = await waiting(payload);
  // As in afterEach.
  await outboxDrained(backdrop.database);
  await service.kill();
  await expect(call.answer).rejects.toThrow();

  await restarted();
  const again = await callHook(service.url, payload);
  const card = await backdrop.chat.card(request.id);
  await backdrop.chat.press(card.messageId, 'Approve');
  expect(verdictOf(await again.answer).allow).toBe(true);
  await until('it is answered', async () => (await api.get(request.id)).body.acknowledged === 'answered');
  expect(await backdrop.chat.cardsOf(request.id)).toHaveLength(1);
});

it('while the database is away a hook is denied, and one that waits goes on waiting', async () => {
  const { call, request } = await waiting(preToolUse());
  wire.cut();
  const refused = await callHook(service.url, preToolUse());
  expect(verdictOf(await refused.answer)).toEqual({
    allow: false,
    message: expect.stringMatching(/database does not answer/) as string,
  });
  wire.mend();
  await until(
    'the service decides again',
    async () => (await api.decide(request.id, 'approved')).status === 200,
  );
  expect(verdictOf(await call.answer).allow).toBe(true);
});
