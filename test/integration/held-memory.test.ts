import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

const MIB = 1024 * 1024;
/** Sent as they are by every call, so that this test itself holds them once. */
const CONTENT = Buffer.alloc(3.5 * MIB, 'x');
/** Together more than the bodies of one key may take. */
const CALLS = 12;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

let database: TestDatabase;
let app: OpenApp;
let calls = 0;
const open: ClientRequest[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  app = await openTestApp(database.url, {
    APPROVAL_MAX_PENDING_MIB_PER_AGENT: '1024',
    RATE_LIMIT_AGENT_MIB_PER_HOUR: '1024',
  });
});
afterEach(async () => {
  for (const call of open.splice(0)) call.destroy();
  await until('nobody waits', () => app.feed.size === 0);
});
afterAll(async () => {
  await app.close();
  await database.drop();
});

/** Bytes in use, the buffers outside of the heap included. */
function used(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Calls a route without reading its answer. `body`: with `CONTENT` in the place of its one `*`. */
async function call(method: string, path: string, body: object | null): Promise<void> {
  const [before = '', after = ''] = body === null ? [] : JSON.stringify(body).split('*');
  const made = request(`${app.url}${path}`, {
    method,
    agent: false,
    headers: {
      authorization: `Bearer ${AGENT_KEY}`,
      accept: 'application/json, text/event-stream',
      ...(body && { 'content-type': 'application/json' }),
      ...(body && { 'content-length': before.length + CONTENT.length + after.length }),
    },
  });
  open.push(made);
  made.on('error', () => undefined).on('response', (response: IncomingMessage) => response.resume());
  if (body !== null) {
    made.write(before);
    made.write(CONTENT);
    made.write(after);
  }
  made.end();
  await once(made, 'finish');
}

const toolUse = () => `toolu_${++calls}`;

const mcp = (name: string, args: object) =>
  call('POST', '/connectors/mcp', {
    jsonrpc: '2.0',
    id: ++calls,
    method: 'tools/call',
    params: { name, arguments: args, _meta: { progressToken: calls } },
  });

const asked = () => ({
  agentId: 'a',
  sessionId: toolUse(),
  toolName: 'Write',
  toolInput: { content: '*' },
});

async function storedId(): Promise<string> {
  const before = await ids();
  await call('POST', '/api/approvals', asked());
  return until('it is stored', async () => (await ids()).find((id) => !before.includes(id)));
}

const ids = async () =>
  (await database.query<{ id: string }>('select id from approvals')).map(({ id }) => id);

it.each<[string, () => Promise<void>]>([
  [
    'the hook',
    () =>
      call('POST', '/connectors/claude-code/hook', {
        hook_event_name: 'PreToolUse',
        session_id: 's',
        tool_name: 'Write',
        tool_input: { content: '*' },
        tool_use_id: toolUse(),
      }),
  ],
  [
    'the hook of Copilot CLI',
    () =>
      call('POST', '/connectors/copilot/hook', {
        sessionId: toolUse(),
        toolName: 'create',
        toolArgs: { file_text: '*' },
      }),
  ],
  ['approve of MCP', () => mcp('approve', { tool_name: 'Write', input: { content: '*' } })],
  ['request_approval of MCP', () => mcp('request_approval', { question: 'May I?', action: '*' })],
  ['POST with wait', () => call('POST', '/api/approvals?wait=55', asked())],
  ['GET with wait', async () => call('GET', `/api/approvals/${await storedId()}?wait=55`, null)],
  ['an event stream', async () => call('GET', `/api/approvals/${await storedId()}/events`, null)],
])('a call that waits keeps nothing of a large request in memory: %s', async (_kind, ask) => {
  const waitFor = async (count: number) => {
    const waiting = app.feed.size + count;
    for (let n = 0; n < count; n++) {
      await ask();
      await until('it waits', () => app.feed.size === waiting - count + n + 1);
    }
  };
  await waitFor(2);
  const before = used();
  await waitFor(CALLS);
  let most = 0;
  await until('the memory is free', () => (most = used() - before) < CONTENT.length).catch(() => {
    throw new Error(`${CALLS} calls keep ${(most / MIB).toFixed(1)} MiB`);
  });
});
