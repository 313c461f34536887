import { connect, type Socket } from 'node:net';
import { Api, requestBody } from '../support/api';
import { issueKey, keyIs } from '../support/keys';
import { ownService } from '../support/own-service';
import { sendRaw } from '../support/raw-http';
import { until } from '../support/until';
import { AGENT_KEY, OPERATOR_KEY } from '../support/well-known';

const CAP = 3;

let id: string;
const sockets: Socket[] = [];

afterAll(() => {
  for (const socket of sockets) socket.destroy();
});
const service = ownService({ HTTP_MAX_WAITING_PER_KEY: String(CAP) });
beforeAll(async () => {
  id = (await service.api.enqueue()).body.id;
});

const headOf = (path: string, key = AGENT_KEY) =>
  [`GET ${path} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${key}`, '', ''].join('\r\n');

/** Sends calls ahead on one connection. @returns once the first answer has begun */
async function sendAhead(...heads: readonly string[]): Promise<Socket> {
  const { hostname, port } = new URL(service.app.url);
  const socket = connect(Number(port), hostname, () => socket.write(heads.join('')));
  sockets.push(socket);
  await new Promise((resolve) => socket.once('data', resolve));
  return socket;
}

/** A call that is held, on a connection of its own. */
const hold = (path = `/api/approvals/${id}/events`) => sendAhead(headOf(path));

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  service.api.call<Record<string, unknown>>('agent', 'POST', path, body, headers);

it('calls of one key that wait are capped, on every route that holds its answer', async () => {
  const held = [await hold(), await hold(), await hold()];
  const wait = await service.api.get(id, 5);
  const events = await service.api.call('agent', 'GET', `/api/approvals/${id}/events`);
  const ask = await post('/api/approvals?wait=5', requestBody({ sessionId: 'not stored' }));
  for (const { status, headers, body } of [wait, events, ask]) {
    expect([status, body.code]).toEqual([429, 'access.rate-limited']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(body.detail).toContain(`at most ${CAP}`);
  }
  const stored = await service.database.query(`select id from approvals where session_id = 'not stored'`);
  expect(stored).toEqual([]);

  const hook = await post('/connectors/claude-code/hook', {
    hook_event_name: 'PreToolUse',
    session_id: 's',
    tool_name: 'Bash',
    tool_input: { command: 'ls' },
    tool_use_id: 'toolu_1',
  });
  expect(hook.status).toBe(200);
  expect(hook.body.hookSpecificOutput).toMatchObject({ permissionDecision: 'deny' });

  const rows = await service.database.query(`select from audit_log where type = 'access.rate-limited'`);
  expect(rows.length).toBeGreaterThanOrEqual(1);
  expect(rows.length).toBeLessThanOrEqual(2); // the minute may have changed

  for (const socket of held) socket.destroy();
  await until('a wait is taken again', async () => (await service.api.get(id, 1)).status === 200);
});

it('what does not wait, and what another key waits for, goes on beside them', async () => {
  const key = await issueKey(service.database, 'agent', 'neighbour');
  await keyIs(true, service.app.url, key);
  const held: Socket[] = [];
  await until('the key is at its cap', async () => {
    if (held.length < CAP) held.push(await hold());
    return (await service.api.get(id, 1)).status === 429;
  });
  expect((await service.api.get(id)).status).toBe(200);
  expect((await service.api.enqueue()).status).toBe(201);
  const neighbour = new Api(service.app.url, { agent: key, operator: OPERATOR_KEY });
  const asked = (await neighbour.enqueue()).body;
  expect((await neighbour.get(asked.id, 1)).status).toBe(200);
  expect((await service.api.decide(id, 'approved')).status).toBe(200);
  for (const socket of held) socket.destroy();
});

it('calls that are sent ahead behind one that is held are not begun, and a lost connection leaves none of them', async () => {
  const { body: asked } = await service.api.enqueue();
  const events = `/api/approvals/${asked.id}/events`;
  const behind = Array.from({ length: CAP }, () => headOf(events));
  const socket = await sendAhead(headOf(events, OPERATOR_KEY), ...behind);
  expect((await service.api.get(asked.id, 1)).status).toBe(200);
  socket.destroy();
  for (let n = 0; n < CAP; n++) expect((await service.api.get(asked.id, 1)).status).toBe(200);
});

it('calls that are sent ahead are answered in their order', async () => {
  const ask = JSON.stringify(requestBody({ sessionId: 'sent ahead' }));
  const withMore = (head: string, more: string) => head.replace(/\r\n$/, more);
  const post = withMore(
    headOf('/api/approvals?wait=1').replace('GET', 'POST'),
    `Content-Type: application/json\r\nContent-Length: ${ask.length}\r\n\r\n${ask}`,
  );
  const last = withMore(headOf('/health/live'), 'Connection: close\r\n\r\n');
  const wait = headOf(`/api/approvals/${id}?wait=1`);
  const answer = await sendRaw(
    service.app.url,
    [wait, post, headOf('/api/approvals/unknown'), post, last].join(''),
  );
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
  expect(statuses).toEqual([200, 201, 400, 201, 200]);
});

it('a connection takes a hundred calls ahead, and is closed at the next', async () => {
  const { body: asked } = await service.api.enqueue();
  const held = headOf(`/api/approvals/${asked.id}/events`);
  const small = headOf('/health/live');
  const last = headOf('/health/live').replace(/\r\n$/, 'Connection: close\r\n\r\n');
  const wait = headOf(`/api/approvals/${asked.id}?wait=1`);
  const answer = await sendRaw(service.app.url, [wait, small.repeat(99), last].join(''));
  expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(101);

  const socket = await sendAhead(held);
  const closed = new Promise((resolve) => socket.once('close', resolve).once('error', () => undefined));
  socket.write(small.repeat(101));
  await closed;
});
