import { request } from 'node:http';
import { Registry } from 'prom-client';
import { AGENT_KEY, startTestApp } from '../support/app';
import { requestBody } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';
import { sendRaw } from '../support/raw-http';
import { Scrape } from '../support/scrape';
import { until } from '../support/until';

interface Told {
  readonly status: number;
  readonly body: string;
}

/** `fetch` sets the header Host itself. */
function call(
  url: string,
  headers: Record<string, string>,
  { method = 'GET', body }: { method?: string; body?: unknown } = {},
): Promise<Told> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method, headers: { 'content-type': 'application/json', ...headers } },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text }));
      },
    );
    sent.once('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const EVIL = { host: 'rebound.example.com' };

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

async function withApp(
  more: Record<string, string>,
  work: (app: OpenApp, port: string) => Promise<void>,
): Promise<void> {
  const app = await openTestApp(database.url, more);
  try {
    await work(app, new URL(app.url).port);
  } finally {
    await app.close();
  }
}

describe('on loopback, without PUBLIC_HOSTS', () => {
  let app: OpenApp;
  beforeAll(async () => {
    app = await openTestApp(database.url, {
      TELEGRAM_BOT_TOKEN: '123456789:AAH-test-token-test-token-test-token-12',
      TELEGRAM_CHAT_ID: '-1001',
      TELEGRAM_OPERATORS: '1:Olivia',
      TELEGRAM_API_ROOT: 'http://127.0.0.1:9',
      TELEGRAM_MODE: 'webhook',
      TELEGRAM_WEBHOOK_URL: 'https://hooks.example.com/telegram/webhook',
      TELEGRAM_WEBHOOK_SECRET: 'secret-of-the-webhook-1234567890',
    });
  });
  afterAll(() => app.close());

  it.each(['/metrics', '//metrics', '/metrics/', '/%6detrics', '/api/docs', '/api/openapi.json', '/nowhere'])(
    'a rebound page reads nothing at %s',
    async (path) => {
      const { status, body } = await call(`${app.url}${path}`, EVIL);
      expect(status).toBe(421);
      expect(JSON.parse(body)).toMatchObject({ code: 'request.misdirected', status: 421 });
      expect(body).toMatch(/rebound\.example\.com.*PUBLIC_HOSTS/);
    },
  );

  it.each(['localhost', 'LOCALHOST:80', '127.0.0.1', '127.0.0.9:1', '[::1]:3000', 'localhost.'])(
    'the loopback name %s is served',
    async (host) => {
      expect((await call(`${app.url}/metrics`, { host })).status).toBe(200);
    },
  );

  it.each(['localhost.example.com', '127.0.0.1.example.com', '10.0.0.1', 'a b'])(
    'the name "%s" is not',
    async (host) => {
      expect([400, 421]).toContain((await call(`${app.url}/metrics`, { host })).status);
    },
  );

  it.each([
    'evil@127.0.0.1',
    'evil:secret@127.0.0.1',
    '127.0.0.1#.evil',
    '127.0.0.1?.evil',
    '127.0.0.1/.evil',
    '127.0.0.1\\.evil',
    'localhost\\@evil',
    'local\thost',
    '%6cocalhost',
    '127.0.0.1:80:80',
    '127.0.0.1:port',
    '[::1]evil',
    '[::1%25lo]',
  ])('a Host that is not a name or an address is refused: "%s"', async (host) => {
    const { status, body } = await call(`${app.url}/metrics`, { host });
    expect(status).toBe(421);
    expect(JSON.parse(body)).toMatchObject({ code: 'request.misdirected' });
    expect(body).toContain('Send a name or an address');
  });

  it.each(['/health', '/health/live', '/health/ready', '/.well-known/jwks.json'])(
    'probes and public keys are for any name: %s',
    async (path) => {
      expect((await call(`${app.url}${path}`, EVIL)).status).toBe(200);
    },
  );

  it('a valid key is enough, as behind a proxy that passes the name on; another key is not', async () => {
    const asked = { method: 'POST', body: requestBody() };
    const url = `${app.url}/api/approvals`;
    expect((await call(url, { ...EVIL, ...bearer(AGENT_KEY) }, asked)).status).toBe(201);
    expect((await call(url, { ...EVIL, ...bearer('x'.repeat(40)) }, asked)).status).toBe(421);
  });

  it('a refused hook call is a denial', async () => {
    const { status, body } = await call(`${app.url}/connectors/claude-code/hook`, EVIL, {
      method: 'POST',
      body: { hook_event_name: 'PreToolUse', session_id: 's', tool_name: 'Bash', tool_input: {} },
    });
    expect(status).toBe(200);
    expect(body).toMatch(/"permissionDecision":"deny"/);
    expect(body).toMatch(/PUBLIC_HOSTS/);
  });

  it('a refused hook call is answered in the form of its event, and a refused MCP call by its id', async () => {
    const asked = {
      hook_event_name: 'PermissionRequest',
      session_id: 's',
      tool_name: 'Bash',
      tool_input: {},
    };
    const hook = await call(`${app.url}/connectors/claude-code/hook`, EVIL, { method: 'POST', body: asked });
    expect(hook.status).toBe(200);
    expect(hook.body).toMatch(/"decision":{"behavior":"deny"/);
    const message = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'approve' } };
    const mcp = await call(`${app.url}/connectors/mcp`, EVIL, { method: 'POST', body: message });
    expect(mcp.status).toBe(200);
    expect(JSON.parse(mcp.body)).toMatchObject({ id: 7, result: { content: [{ type: 'text' }] } });
    expect(mcp.body).toMatch(/deny.*PUBLIC_HOSTS/);
  });

  it('the host of the webhook is known', async () => {
    const sent = { method: 'POST', body: { update_id: 1 } };
    const url = `${app.url}/telegram/webhook`;
    const secret = { 'x-telegram-bot-api-secret-token': 'secret-of-the-webhook-1234567890' };
    expect((await call(url, { host: 'hooks.example.com', ...secret }, sent)).status).not.toBe(421);
    expect((await call(url, { ...EVIL, ...secret }, sent)).status).toBe(421);
  });
});

it('an empty Host is refused, for the first call too', async () => {
  await withApp({}, async ({ url }) => {
    const empty = 'GET /metrics HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n';
    expect(await sendRaw(url, empty)).toMatch(/^HTTP\/1\.1 421 /);
  });
});

it('PUBLIC_HOSTS are served beside the loopback names, and no others', async () => {
  const more = { PUBLIC_HOSTS: 'approvals.example.com, Other.example.com', METRICS_PUBLIC: 'true' };
  await withApp({ ...more, HOST: '0.0.0.0' }, async (_app, port) => {
    const url = `http://127.0.0.1:${port}/metrics`;
    for (const host of ['approvals.example.com', 'other.EXAMPLE.com:443', '127.0.0.1'])
      expect((await call(url, { host })).status).toBe(200);
    expect((await call(url, EVIL)).status).toBe(421);
  });
});

it('beyond loopback, without PUBLIC_HOSTS, any name is served', async () => {
  await withApp({ HOST: '0.0.0.0', METRICS_PUBLIC: 'true' }, async (_app, port) => {
    expect((await call(`http://127.0.0.1:${port}/metrics`, EVIL)).status).toBe(200);
  });
});

describe('with METRICS_PORT', () => {
  const listening = (app: OpenApp): string => {
    const line = app.events.find(({ event }) => event === 'metrics.listening');
    return `http://${String(line?.host)}:${String(line?.port)}`;
  };

  it('metrics have a listener of their own, which needs no key and takes any name', async () => {
    await withApp({ HOST: '0.0.0.0', METRICS_PORT: '0' }, async (app) => {
      const url = listening(app);
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      expect((await Scrape.of(url)).value('escalation_queue_size')).toBeGreaterThanOrEqual(0);
      expect((await call(`${url}/metrics`, EVIL)).status).toBe(200);
      for (const path of ['/', '/health', '/api/approvals'])
        expect((await call(`${url}${path}`, {})).status).toBe(404);
      expect((await call(`${url}/metrics`, {}, { method: 'POST' })).status).toBe(404);
    });
  });

  it.each(['/metrics', '//metrics', '/metrics/', '/%6detrics', '/metric%73/'])(
    'the main port serves none at %s, with a key or without',
    async (path) => {
      await withApp({ METRICS_PORT: '0' }, async (app) => {
        expect((await call(`${app.url}${path}`, {})).status).toBe(404);
        expect((await call(`${app.url}${path}`, bearer(AGENT_KEY))).status).toBe(404);
      });
    },
  );

  it('a scrape that fails is a 500, and the log says why', async () => {
    await withApp({ METRICS_PORT: '0' }, async (app) => {
      jest.spyOn(app.get(Registry), 'metrics').mockRejectedValueOnce(new Error('a collector failed'));
      expect((await call(`${listening(app)}/metrics`, {})).status).toBe(500);
      const line = app.events.find(({ event }) => event === 'metrics.failed');
      expect(line?.error).toContain('a collector failed');
      expect((await call(`${listening(app)}/metrics`, {})).status).toBe(200);
    });
  });

  it('pipelined scrapes begin one after the other', async () => {
    await withApp({ METRICS_PORT: '0' }, async (app) => {
      const finish: ((text: string) => void)[] = [];
      jest
        .spyOn(app.get(Registry), 'metrics')
        .mockImplementation(() => new Promise((done) => finish.push(done)));
      const scrape = 'GET /metrics HTTP/1.1\r\nHost: x\r\n';
      const answers = sendRaw(listening(app), `${scrape}\r\n${scrape}Connection: close\r\n\r\n`);
      await until('the first one begins', () => finish.length > 0);
      expect((await call(`${listening(app)}/other`, {})).status).toBe(404);
      expect(finish).toHaveLength(1);
      finish[0]?.('first');
      await until('the second one begins', () => finish.length > 1);
      finish[1]?.('second');
      expect(await answers).toMatch(/first[^]*second/);
    });
  });

  it('a port that is taken stops the start, and is named', async () => {
    await withApp({ METRICS_PORT: '0' }, async (app) => {
      const { port } = new URL(listening(app));
      await expect(startTestApp(database.url, { METRICS_PORT: port })).rejects.toThrow(
        `cannot listen on METRICS_HOST 127.0.0.1, METRICS_PORT ${port}`,
      );
    });
  });
});
