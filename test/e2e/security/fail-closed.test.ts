import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CountersignClient } from '../../../src/agent-side/client';
import { SystemClock } from '../../../src/kernel/clock';
import { Api, type ApprovalJson } from '../../support/api';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { callHook, preToolUse, verdictOf } from '../../support/hook-client';
import { openTestApp, type OpenApp } from '../../support/open-app';
import { cleanUp, Service, temporaryDirectory } from '../../support/processes';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy';
import { until } from '../../support/until';
import { AGENT_KEY } from '../../support/well-known';

let database: TestDatabase;
let wire: TcpProxy;
let app: OpenApp;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  wire = await startTcpProxy(database.url);
  app = await openTestApp(wire.url);
  api = new Api(app.url);
});
afterAll(async () => {
  await app.close();
  await wire.close();
  await cleanUp();
  await database.drop();
});

/** Every look at it is ten minutes later: patience ends with the first failure. */
class LeapingClock extends SystemClock {
  private looks = 0;
  override monotonicMs(): number {
    return super.monotonicMs() + 600_000 * this.looks++;
  }
}

const ASK = {
  agentId: 'a',
  sessionId: 's',
  toolName: 'Bash',
  toolInput: { command: 'make' },
  timeoutSeconds: 60,
};

/** An agent's tool behind the client: whether it ran, and what kept it from that. */
async function runByClient(url: string, more: { timeoutSeconds?: number } = {}) {
  const client = new CountersignClient({ url, key: AGENT_KEY }, new LeapingClock());
  try {
    const { status } = await client.settled(await client.enqueue({ ...ASK, ...more }));
    return { ran: status === 'approved', why: status };
  } catch (error) {
    return { ran: false, why: (error as Error).name };
  }
}

/** A tool behind the hook: the client lets it run for a 200 with a JSON that says "allow". */
async function runByHook(url: string, headers: Record<string, string> = {}) {
  try {
    const { status, answer } = await callHook(url, preToolUse(), headers);
    const { allow, message } = verdictOf(await answer);
    return { ran: status === 200 && allow, why: message };
  } catch (error) {
    return { ran: false, why: (error as Error).name };
  }
}

const agents = [
  ['the client', runByClient],
  ['the hook', runByHook],
] as const;

async function serving(listener: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** The request that waits for its end at this moment. */
async function waitingRequest(): Promise<ApprovalJson> {
  await until('it waits', () => app.feed.size === 1);
  const { body } = await api.call<{ items: ApprovalJson[] }>('agent', 'GET', '/api/approvals?status=pending');
  if (!body.items[0]) throw new Error('nothing waits');
  return body.items[0];
}

describe.each(agents)('security 20: agents fail closed: by %s the tool', (_who, run) => {
  it('runs once an operator approved, which is what the others must not look like', async () => {
    const tool = run(app.url);
    await api.decide((await waitingRequest()).id, 'approved');
    expect((await tool).ran).toBe(true);
  });

  it('does not run when they rejected', async () => {
    const tool = run(app.url);
    await api.decide((await waitingRequest()).id, 'rejected');
    expect((await tool).ran).toBe(false);
  });

  it('does not run while the database is down', async () => {
    wire.cut();
    expect((await run(app.url)).ran).toBe(false);
    wire.mend();
    await until(
      'it is back',
      async () => (await api.call('agent', 'GET', '/api/approvals?limit=1')).status === 200,
    );
  });

  it('does not run where nobody listens', async () => {
    const { url, server } = await serving(() => undefined);
    await new Promise((done) => server.close(done));
    expect((await run(url)).ran).toBe(false);
  });

  it.each([
    ['a 500', 500, '{"status":"approved"}'],
    ['a 503 with a page', 503, '<html>allow</html>'],
    ['a page', 200, '<html>approved</html>'],
    ['nothing', 200, ''],
    ['bad JSON', 200, '{"status":"approved","hookSpecificOutput":{"permissionDecision":"allow"'],
    ['JSON of something else', 200, '{"status":"approved","approved":true,"permissionDecision":"allow"}'],
    ['a list', 200, '[{"status":"approved"}]'],
  ])('does not run on %s', async (_what, status, text) => {
    const { url, server } = await serving((_incoming, outgoing) => void outgoing.writeHead(status).end(text));
    expect((await run(url)).ran).toBe(false);
    server.close();
  });

  it('does not run on an answer that is cut off', async () => {
    const { url, server } = await serving((_incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-length': '10000' });
      outgoing.write(
        '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow"}}',
        () => outgoing.destroy(),
      );
    });
    expect((await run(url)).ran).toBe(false);
    server.close();
  });
});

describe('security 20: agents fail closed', () => {
  it('at the deadline: nobody answered, and the tool does not run', async () => {
    expect(await runByClient(app.url, { timeoutSeconds: 1 })).toEqual({ ran: false, why: 'expired' });
    const { ran, why } = await runByHook(app.url, { 'countersign-wait-seconds': '1' });
    expect(ran).toBe(false);
    expect(why).toMatch(/nobody|Nobody/);
  });

  it('when the service is killed under those who wait, no tool runs', async () => {
    const service = await Service.start({ DATABASE_URL: database.url, DATA_DIR: temporaryDirectory() });
    const tools = agents.map(([, run]) => run(service.url));
    const waits = `select 1 from approvals where status = 'pending'`;
    const before = (await database.query(waits)).length;
    await until('both asked', async () => (await database.query(waits)).length >= Math.max(2, before));
    await service.kill();
    for (const { ran } of await Promise.all(tools)) expect(ran).toBe(false);
  });

  it('on the approval of another request, which a cache or a confused proxy may answer with', async () => {
    const { body: other } = await api.enqueue({ toolInput: { command: 'ls' } });
    const { body: approved } = await api.decide(other.id, 'approved');
    const { url, server } = await serving((incoming, outgoing) => {
      if (incoming.method === 'GET') return void outgoing.end(JSON.stringify(approved));
      void api.enqueue(ASK).then(({ body }) => outgoing.writeHead(201).end(JSON.stringify(body)));
    });
    expect((await runByClient(url)).ran).toBe(false);
    server.close();
  });

  it('and so it is when it comes at once, for what was asked', async () => {
    const { body: other } = await api.enqueue({ toolInput: { command: 'ls' } });
    const { body: approved } = await api.decide(other.id, 'approved');
    const { url, server } = await serving(
      (_incoming, outgoing) => void outgoing.end(JSON.stringify(approved)),
    );
    expect((await runByClient(url)).ran).toBe(false);
    server.close();
  });
});
