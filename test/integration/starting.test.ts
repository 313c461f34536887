import dns from 'node:dns/promises';
import { Client } from 'pg';
import { startApp } from '../../src/app';
import { parseConfig } from '../../src/config/environment';
import { createLog } from '../../src/logging/log';
import { serviceEnvironment, type LogLine } from '../support/app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { freePort } from '../support/processes';
import { sendRaw } from '../support/raw-http';
import { until } from '../support/until';

/** The lock that every replica takes before it migrates. */
const MIGRATION_LOCK = 7_214_035_522;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const json = async (answer: Response) => ({ status: answer.status, body: (await answer.json()) as object });

it('a start that waits for the migration lock says who holds it, lives, denies, and then serves on the same port', async () => {
  const holder = new Client({ connectionString: database.url, application_name: 'a-migration' });
  await holder.connect();
  await holder.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const lines: LogLine[] = [];
  const config = parseConfig(serviceEnvironment(database.url, { PORT: String(port) }));
  const log = createLog(config.log, { write: (line) => void lines.push(JSON.parse(line) as LogLine) });
  const starting = startApp(config, log);
  await until('it waits', () => lines.some(({ event }) => event === 'database.migration-lock-waits'));

  const waits = lines.filter(({ event }) => event === 'database.migration-lock-waits');
  expect(waits).toEqual([expect.objectContaining({ level: 'info' })]);
  expect(waits[0]?.holder).toMatch(/^process \d+ \(a-migration\)/);
  expect(await json(await fetch(`${url}/health/live`))).toMatchObject({
    status: 200,
    body: { status: 'ok' },
  });
  const reason = 'waiting for another process that migrates the database';
  for (const path of ['/health', '/health/ready']) {
    expect(await json(await fetch(`${url}${path}`))).toMatchObject({
      status: 503,
      body: { status: 'error', details: { migrations: { status: 'down', reason } } },
    });
  }
  const asked = await fetch(`${url}/api/approvals`, { method: 'POST', body: '{}' });
  expect(asked.headers.get('retry-after')).toBe('5');
  expect(await json(asked)).toMatchObject({ status: 503, body: { code: 'service.starting' } });

  const hook = (body: object) =>
    fetch(`${url}/connectors/claude-code/hook`, { method: 'POST', body: JSON.stringify(body) });
  const denied = await json(await hook({ hook_event_name: 'PermissionRequest', tool_name: 'Bash' }));
  expect(denied).toMatchObject({
    status: 200,
    body: { hookSpecificOutput: { hookEventName: 'PermissionRequest', decision: { behavior: 'deny' } } },
  });
  expect(await json(await hook({ hook_event_name: 'Stop' }))).toEqual({ status: 200, body: {} });
  const mcp = (message: object) =>
    fetch(`${url}/connectors/mcp`, { method: 'POST', body: JSON.stringify(message) });
  const call = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'approve' } };
  expect(await json(await mcp(call))).toMatchObject({
    status: 200,
    body: { id: 7, result: { content: [{ text: expect.stringContaining(`"deny"`) as string }] } },
  });
  expect((await mcp({ ...call, method: 'initialize' })).status).toBe(503);
  const head = 'POST /connectors/claude-code/hook HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n';
  for (const header of ['', 'Host: x\r\nExpect: x\r\n'])
    expect(await sendRaw(url, `${head}${header}\r\n{}`)).toMatch(/^HTTP\/1\.1 200[^]*"deny"/);

  // Nobody is refused while one answers after the other.
  const calls = new AbortController();
  const statuses = new Set<number>();
  const calling = (async () => {
    while (!calls.signal.aborted) statuses.add((await fetch(`${url}/health/live`)).status);
  })();
  await holder.end();
  const app = await starting;
  expect(app.url).toBe(url);
  await until('it is ready', async () => (await fetch(`${url}/health/ready`)).status === 200);
  const expectant = 'GET /health/live HTTP/1.1\r\nHost: x\r\nExpect: x\r\nConnection: close\r\n\r\n';
  expect((await sendRaw(url, expectant)).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
  calls.abort();
  await calling;
  expect([...statuses]).toEqual([200]);
  await app.close();
  await expect(fetch(`${url}/health/live`)).rejects.toThrow();
});

it('a start that fails leaves nothing listening', async () => {
  const port = await freePort();
  const url = `postgres://nobody:none@127.0.0.1:${await freePort()}/none`;
  const config = parseConfig(serviceEnvironment(url, { PORT: String(port) }));
  await expect(startApp(config, createLog(config.log, { write: () => undefined }))).rejects.toThrow(
    /cannot be used/,
  );
  await expect(fetch(`http://127.0.0.1:${port}/health/live`)).rejects.toThrow();
});

it('HOST=localhost is served on all of its addresses, in the same way', async () => {
  const addresses = ['127.0.0.1', '127.0.0.2'];
  const found = addresses.map((address) => ({ address, family: 4 }));
  jest.spyOn(dns, 'lookup').mockResolvedValue(found as never);
  const config = parseConfig(serviceEnvironment(database.url, { HOST: 'localhost' }));
  const app = await startApp(config, createLog(config.log, { write: () => undefined }));
  const { port } = new URL(app.url);
  for (const address of addresses) {
    const send = (...lines: string[]) =>
      sendRaw(`http://${address}:${port}`, [...lines, '', ''].join('\r\n'));
    const head = ['GET /health/live HTTP/1.1', 'Host: localhost', 'Connection: close'];
    expect(await send(...head)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await send(...head, 'Expect: x')).toMatch(/^HTTP\/1\.1 200 /);
    expect(await send('no request')).toMatch(/^HTTP\/1\.1 400 [^]*application\/problem\+json/);
  }
  await app.close();
  for (const address of addresses)
    await expect(fetch(`http://${address}:${port}/health/live`)).rejects.toThrow();
});
