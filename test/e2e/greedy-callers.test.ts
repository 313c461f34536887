import { connect, type Socket } from 'node:net';
import { Api, type ApprovalJson } from '../support/api';
import { callHook, preToolUse } from '../support/hook-client';
import { cleanUp, Service } from '../support/processes';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { AGENT_KEY } from '../support/well-known';

/** The heap of Node.js in the container that the compose file starts. */
const HEAP_MB = 256;
/** As much as one request may carry, nearly. */
const LARGE = 'x'.repeat(250_000);

let backdrop: Backdrop;
let service: Service;
let api: Api;

beforeAll(async () => {
  backdrop = await setBackdrop();
  service = await Service.start({
    ...backdrop.environment,
    HTTP_MAX_WAITING_PER_KEY: '2000',
    APPROVAL_MAX_PENDING_MIB_PER_AGENT: '1000',
    NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}`,
    TELEGRAM_MODE: 'webhook',
    TELEGRAM_WEBHOOK_URL: 'https://countersign.example/telegram/webhook',
    TELEGRAM_WEBHOOK_SECRET: 'a-secret-of-the-webhook_0123456789',
  });
  api = new Api(service.url);
});
afterAll(async () => {
  await cleanUp();
  await strike();
});

/** Asks, and reads no more than how the answer begins. */
function beginReading(path: string): Promise<Socket> {
  const { hostname, port } = new URL(service.url);
  const head = [`GET ${path} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${AGENT_KEY}`, '', ''];
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(head.join('\r\n')));
    const begun = () => resolve(socket.pause());
    socket.once('data', begun).once('close', begun).on('error', begun);
  });
}

async function withUnread(count: number, path: string, meanwhile: () => Promise<void>): Promise<void> {
  const sockets: Socket[] = [];
  for (let n = 0; n < count; n += 50)
    sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => beginReading(path)))));
  await meanwhile();
  for (const socket of sockets) socket.destroy();
}

it('lists of the largest requests, several at a time, are answered page by page', async () => {
  for (let n = 0; n < 200; n++) await api.enqueue({ toolInput: { command: LARGE } });
  const pages = await Promise.all(
    Array.from({ length: 4 }, () =>
      api.call<{ items: ApprovalJson[]; nextCursor: string | null }>(
        'agent',
        'GET',
        '/api/approvals?limit=200',
      ),
    ),
  );
  for (const { status, body } of pages) {
    expect(status).toBe(200);
    expect(body.nextCursor).toBe(body.items.at(-1)?.id);
  }
});

it.each(['/events', ''])(
  'GET /api/approvals/:id%s, a thousand times and unread: others are served, and nothing is lost',
  async (route) => {
    const { id } = (await api.enqueue({ toolInput: { command: LARGE } })).body;
    await withUnread(1100, `/api/approvals/${id}${route}`, async () => {
      expect((await api.get(id)).body.toolInput).toEqual({ command: LARGE });
      expect((await api.decide(id, 'approved')).status).toBe(200);
      expect((await api.get(id, 5)).body.status).toBe('approved');
    });
  },
);

it('requests of 4 MiB, sixty at a time and then held by the hook: each is taken or refused, and others are served', async () => {
  const command = 'x'.repeat(4_000_000);
  const asked = await Promise.all(
    Array.from({ length: 60 }, () => api.enqueue({ toolInput: { command } }).then(({ status }) => status)),
  );
  expect(asked.filter((status) => status !== 201 && status !== 503)).toEqual([]);
  expect(asked).toContain(201);
  const calls = await Promise.all(
    Array.from({ length: 30 }, (_, n) =>
      callHook(service.url, preToolUse({ tool_input: { command }, tool_use_id: `toolu_${n}` })),
    ),
  );
  expect((await api.enqueue({ toolInput: { command: 'ls' } })).status).toBe(201);
  for (const { hangUp } of calls) hangUp();
});

describe('the answer to a body of 10 MB, thirty times, reaches whoever is still sending it', () => {
  const HOOK = '/connectors/claude-code/hook';
  const body = Buffer.alloc(10_000_000, 'a');

  it.each([
    ['/telegram/webhook', null, 401],
    ['/api/approvals', 'agent', 413],
    ['/api/approvals', null, 413],
    [HOOK, 'agent', 200],
    [HOOK, null, 200],
  ] as const)('POST %s, key: %s', async (path, role, expected) => {
    for (let n = 0; n < 30; n++) {
      const { status, body: said } = await api.call<{ hookSpecificOutput?: object }>(
        role,
        'POST',
        path,
        body,
      );
      expect(status).toBe(expected);
      if (path === HOOK) expect(said.hookSpecificOutput).toMatchObject({ permissionDecision: 'deny' });
    }
  });

  it('POST /api/approvals, of a length that is not announced', async () => {
    for (let n = 0; n < 30; n++) {
      const pieces = Array.from({ length: 100 }, () => Buffer.alloc(100_000, 'a'));
      const { status } = await fetch(`${service.url}/api/approvals`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${AGENT_KEY}` },
        body: ReadableStream.from(pieces) as RequestInit['body'],
        duplex: 'half',
      } as RequestInit);
      expect(status).toBe(413);
    }
  });
});
