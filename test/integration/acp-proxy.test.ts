import { AcpMachine, type LocalProxy } from '../support/acp-run';
import { Api } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { requestFor } from '../support/claude-run';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { cleanUp } from '../support/processes';
import { until } from '../support/until';

let database: TestDatabase;
let app: TestApp;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await startTestApp(database.url);
  api = new Api(app.url);
});
afterAll(async () => {
  await cleanUp();
  await app.close();
  await database.drop();
});

const asked = (command: string) => requestFor(command, api);

const INITIALIZE = { id: 0, method: 'initialize', params: { protocolVersion: 1, clientCapabilities: {} } };
const PROMPT = { id: 2, method: 'session/prompt', params: { sessionId: 'session-1', prompt: [] } };

/** The editor opens a session and sends its prompt. */
async function open(proxy: LocalProxy, { work }: AcpMachine): Promise<void> {
  proxy.send(INITIALIZE);
  proxy.send({ id: 1, method: 'session/new', params: { cwd: work, mcpServers: [] } });
  await until('a session', () => proxy.received.toString().includes('"sessionId":"session-1"'));
  proxy.send(PROMPT);
}

const ended = (proxy: LocalProxy) =>
  until('the turn', () => proxy.received.toString().includes('stopReason'));

it('answers the question itself: the editor sees the call, and never the question', async () => {
  const machine = new AcpMachine(app.url);
  const proxy = machine.proxy({ calls: [{ command: 'touch proxied' }], says: 'Hello' });
  await open(proxy, machine);
  await api.decide((await asked('touch proxied')).id, 'approved');
  await ended(proxy);
  proxy.input.end();
  expect(await proxy.ended()).toBe(0);
  expect(machine.wrote('proxied')).toBe('');
  expect(proxy.received.toString()).toContain('Hello');
  expect(proxy.received.toString()).not.toContain('session/request_permission');
});

it('passes everything else that is a message byte for byte, in both directions', async () => {
  const machine = new AcpMachine(app.url);
  // Spaces, escapes, a number that JSON writes otherwise, a line separator, a blank line, no end.
  const lines = [
    '{ "jsonrpc":"2.0", "method":"_x", "params":{"n":1.50e1,"a":"\\u0041\u2028"} }\r\n',
    ' \r\n',
    '{"jsonrpc":"2.0","method":"_y"}',
  ];
  const bytes = Buffer.from(lines.join(''));
  const proxy = machine.proxy({}, { command: ['/bin/cat'] });
  proxy.input.end(bytes);
  expect(await proxy.ended()).toBe(0);
  expect(proxy.received).toEqual(bytes);
});

it.each([
  ['no JSON', 'not JSON at all'],
  ['a text', '"text"'],
  ['a message after a byte order mark', '\ufeff{"jsonrpc":"2.0","method":"_x"}'],
  ['a message after a no-break space', '\u00a0{"jsonrpc":"2.0","method":"_x"}'],
  ['a message after a line separator', '\u2028{"jsonrpc":"2.0","method":"_x"}'],
  ['a message with two methods', '{"jsonrpc":"2.0","method":"session/request_permission","method":"_x"}'],
  ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe])],
])('drops a line that an editor may read otherwise, and says so: %s', async (_name, line) => {
  const machine = new AcpMachine(app.url);
  const proxy = machine.proxy({}, { command: ['/bin/cat'] });
  proxy.input.write(line);
  proxy.input.end('\n{"jsonrpc":"2.0","method":"_y"}\n');
  await proxy.ended();
  expect(proxy.received.toString()).toBe('{"jsonrpc":"2.0","method":"_y"}\n');
  expect(proxy.events).toEqual([{ kind: 'trouble', message: expect.stringContaining('dropped') as string }]);
});

it('answers a question behind a byte order mark itself', async () => {
  const machine = new AcpMachine(app.url);
  const proxy = machine.proxy({}, { command: ['/bin/cat'] });
  proxy.input.write('\ufeff{"jsonrpc":"2.0","id":1,"method":"session/request_permission","params":{}}\n');
  await until('an answer', () => proxy.received.toString().includes('cancelled'));
  proxy.input.end();
  await proxy.ended();
  expect(proxy.received.toString()).not.toContain('request_permission');
});

it('withdraws the editor’s offer to write files and to run commands, and keeps its others', async () => {
  const machine = new AcpMachine(app.url);
  const clientCapabilities = {
    fs: { readTextFile: true, writeTextFile: true },
    terminal: true,
    _meta: { a: 1 },
  };
  const proxy = machine.proxy({
    unasked: [{ method: 'fs/read_text_file', params: {} }, { method: 'terminal/create' }],
  });
  proxy.send({ ...INITIALIZE, params: { protocolVersion: 1, clientCapabilities } });
  proxy.send({ id: 1, method: 'session/new', params: { cwd: machine.work, mcpServers: [] } });
  proxy.send(PROMPT);
  await ended(proxy);
  expect(proxy.heard[0]).toMatchObject({
    params: {
      clientCapabilities: {
        fs: { readTextFile: true, writeTextFile: false },
        terminal: false,
        _meta: { a: 1 },
      },
    },
  });
  expect(proxy.received.toString()).toContain('fs/read_text_file');
  expect(proxy.received.toString()).not.toContain('terminal/create');
  await until('the error', () =>
    proxy.heard.some(({ id, error }) => id === 'unasked-1' && error !== undefined),
  );
  proxy.input.end();
  await proxy.ended();
});

it('cancels the turn: the agent learns of it first, then all questions are answered as cancelled', async () => {
  const machine = new AcpMachine(app.url);
  const proxy = machine.proxy({ parallel: true, calls: [{ command: 'touch p1' }, { command: 'touch p2' }] });
  await open(proxy, machine);
  const requests = await Promise.all(['touch p1', 'touch p2'].map(asked));
  proxy.send({ method: 'session/cancel', params: { sessionId: 'session-1' } });
  await ended(proxy);
  expect(proxy.answers).toEqual(['cancelled', 'cancelled']);
  proxy.input.end();
  await proxy.ended();
  for (const { id } of requests) expect((await api.get(id)).body.status).toBe('cancelled');
});

it('takes a question back when the agent does, and tells the editor nothing of it', async () => {
  const machine = new AcpMachine(app.url);
  const proxy = machine.proxy({ calls: [{ command: 'touch p3', cancelled: true }] });
  await open(proxy, machine);
  await ended(proxy);
  expect(proxy.answers).toEqual(['cancelled']);
  expect(proxy.received.toString()).not.toContain('$/cancel_request');
  proxy.input.end();
  await proxy.ended();
});

it('ends the agent and cancels its requests when the editor is gone', async () => {
  const machine = new AcpMachine(app.url);
  const proxy = machine.proxy({ calls: [{ command: 'touch p4' }] });
  await open(proxy, machine);
  const { id } = await asked('touch p4');
  proxy.input.end();
  await proxy.ended();
  expect((await api.get(id)).body.status).toBe('cancelled');
  expect(machine.wrote('p4')).toBeNull();
});

it.each([
  ['a session that the editor did not open', { sessionId: 'session-9' }],
  ['a session without an id', {}],
])('answers nobody’s question: %s', async (_name, more) => {
  const machine = new AcpMachine(app.url);
  const line = JSON.stringify({
    jsonrpc: '2.0',
    id: 'REQUEST',
    method: 'session/request_permission',
    params: {
      ...more,
      toolCall: { toolCallId: 'x', kind: 'execute', rawInput: { command: 'touch p5' } },
      options: [{ optionId: 'once', name: '', kind: 'allow_once' }],
    },
  });
  const proxy = machine.proxy({ calls: [{ line }] });
  await open(proxy, machine);
  await ended(proxy);
  expect(proxy.answers).toEqual(['cancelled']);
  proxy.input.end();
  await proxy.ended();
});

it('passes no batch, in which a question could reach the editor', async () => {
  const machine = new AcpMachine(app.url);
  const proxy = machine.proxy({}, { command: ['/bin/cat'] });
  proxy.input.write('[{"jsonrpc":"2.0","id":1,"method":"session/request_permission","params":{}}]\n');
  await until('an answer', () => proxy.received.toString().includes('-32600'));
  proxy.input.end();
  await proxy.ended();
  expect(proxy.received.toString()).not.toContain('request_permission');
});

it('answers two open questions with the same id as cancelled, and runs neither', async () => {
  const machine = new AcpMachine(app.url);
  const params = (command: string) => ({
    sessionId: 'session-1',
    toolCall: { toolCallId: command, kind: 'execute', rawInput: { command } },
    options: [{ optionId: 'once', name: '', kind: 'allow_once' }],
  });
  const say = (id: unknown, more: object): string => `${JSON.stringify({ jsonrpc: '2.0', id, ...more })}\n`;
  // An agent that answers the first three requests as they come, then asks twice with one id, and echoes the answers.
  const script = `read a; printf '%s' "$1"; read b; printf '%s' "$2"; read c; printf '%s' "$3"; read d; printf '%s' "$4"; cat > answers`;
  const question = (command: string): string =>
    say('q', { method: 'session/request_permission', params: params(command) });
  const replies = [
    say(0, { result: { protocolVersion: 1 } }),
    say(1, { result: { sessionId: 'session-1' } }),
    question('touch p6'),
    question('touch p7'),
  ];
  const proxy = machine.proxy({}, { command: ['/bin/sh', '-c', script, 'agent', ...replies] });
  await open(proxy, machine);
  const { id } = await asked('touch p6');
  proxy.send({ method: '_next' });
  await until('a cancellation', async () => (await api.get(id)).body.status === 'cancelled');
  proxy.input.end();
  await proxy.ended();
  const answers = (machine.wrote('answers') ?? '').trim().split('\n');
  expect(answers.map((line) => JSON.parse(line) as object)).toEqual(
    Array(2).fill({ jsonrpc: '2.0', id: 'q', result: { outcome: { outcome: 'cancelled' } } }),
  );
});
