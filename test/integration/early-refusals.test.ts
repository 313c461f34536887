import type { Server } from 'node:http';
import { connect } from 'node:net';
import { HttpAdapterHost } from '@nestjs/core';
import { preToolUse } from '../support/hook-client';
import { ownService } from '../support/own-service';
import { sendRaw } from '../support/raw-http';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

const HOOK = '/connectors/claude-code/hook';
const MCP = '/connectors/mcp';
const MCP_CALL = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'approve', arguments: {} } };

const service = ownService();

interface Raw {
  readonly method?: string;
  readonly body?: unknown;
  readonly key?: string | null;
  readonly headers?: readonly string[];
}

function requestTo(
  path: string,
  { method = 'GET', body, key = AGENT_KEY, headers = ['Host: x'] }: Raw,
): string {
  const text = body === undefined ? '' : JSON.stringify(body);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...headers,
    ...(key === null ? [] : [`Authorization: Bearer ${key}`]),
    ...(body === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${text.length}`]),
  ];
  return [...lines, '', text].join('\r\n');
}

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

async function answerTo(path: string, { headers = ['Host: x'], ...more }: Raw): Promise<Answer> {
  const text = await sendRaw(
    service.app.url,
    requestTo(path, { ...more, headers: [...headers, 'Connection: close'] }),
  );
  const [head = '', body = ''] = text.split('\r\n\r\n', 2);
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, body };
}

const jsonOf = ({ body }: Answer): unknown => JSON.parse(body);

const denial = (reason: RegExp): unknown => ({
  hookSpecificOutput: {
    hookEventName: 'PreToolUse',
    permissionDecision: 'deny',
    permissionDecisionReason: expect.stringMatching(reason) as string,
  },
});

describe('HTTP/1.1 without Host', () => {
  const headers: string[] = [];

  it('gets a problem document', async () => {
    const answer = await answerTo('/health', { headers });
    expect(answer.status).toBe(400);
    expect(answer.head).toMatch(/content-type: application\/problem\+json/i);
    expect(jsonOf(answer)).toMatchObject({
      code: 'request.invalid',
      detail: 'HTTP/1.1 requires the header Host.',
    });
  });

  it('is a denial for a hook and for a permission prompt', async () => {
    const hook = await answerTo(HOOK, { method: 'POST', body: preToolUse(), headers });
    expect(hook.status).toBe(200);
    expect(jsonOf(hook)).toMatchObject(denial(/requires the header Host/) as object);
    const mcp = await answerTo(MCP, { method: 'POST', body: MCP_CALL, headers });
    expect(mcp.status).toBe(200);
    expect(jsonOf(mcp)).toMatchObject({ id: 7, result: {} });
    expect(mcp.body).toMatch(/deny.*requires the header Host/);
  });
});

describe('an unknown Expect', () => {
  const headers = ['Host: x', 'Expect: x'];

  it('changes nothing for a call that is served', async () => {
    expect((await answerTo('/health/live', { headers })).status).toBe(200);
  });

  it('leaves a refused hook and a refused permission prompt denials', async () => {
    const key = 'x'.repeat(40);
    const loopback = ['Host: 127.0.0.1', 'Expect: x'];
    const hook = await answerTo(HOOK, { method: 'POST', body: preToolUse(), headers: loopback, key });
    expect(hook.status).toBe(200);
    expect(jsonOf(hook)).toMatchObject(denial(/valid API key/) as object);
    const mcp = await answerTo(MCP, { method: 'POST', body: MCP_CALL, headers: loopback, key });
    expect(mcp.status).toBe(200);
    expect(mcp.body).toMatch(/deny.*valid API key/);
  });
});

describe('a path that cannot be decoded', () => {
  it.each(['/api/approvals/%zz', '/%', '/api/approvals/%ff'])('gets a problem document: %s', async (path) => {
    const answer = await answerTo(path, {});
    expect(answer.status).toBe(400);
    expect(answer.head).toMatch(/content-type: application\/problem\+json/i);
    expect(jsonOf(answer)).toMatchObject({
      code: 'request.invalid',
      detail: expect.stringContaining('invalid percent escape') as string,
    });
  });

  it.each([`${HOOK}%zz`, `${HOOK}%`, `${HOOK}%ff`, '/%63onnectors/claude-code/%6dcp%zz'])(
    'is a denial for a hook: %s',
    async (path) => {
      const answer = await answerTo(path, { method: 'POST', body: preToolUse() });
      expect(answer.status).toBe(200);
      expect(jsonOf(answer)).toMatchObject(denial(/invalid percent escape/) as object);
    },
  );

  it('is a denial for a permission prompt', async () => {
    const answer = await answerTo(`${MCP}%zz`, { method: 'POST', body: MCP_CALL });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatch(/"id":7.*deny.*invalid percent escape/);
  });
});

it('a refused hook call with a whole URL, as to a proxy, is a denial', async () => {
  const answer = await answerTo(`http://x${HOOK}`, {
    method: 'POST',
    body: preToolUse(),
    key: 'x'.repeat(40),
  });
  expect(answer.status).toBe(200);
  expect(jsonOf(answer)).toMatchObject(denial(/valid API key|PUBLIC_HOSTS/) as object);
});

describe('a request behind an answer that is held', () => {
  /** Resolves with all that came back, once the service has closed the connection. */
  async function sendBehind(first: string, second: string, timesOut: boolean): Promise<string> {
    const server = service.app.get<HttpAdapterHost>(HttpAdapterHost).httpAdapter.getHttpServer() as Server;
    const { hostname, port } = new URL(service.app.url);
    const socket = connect(Number(port), hostname, () => socket.write(first));
    let answer = '';
    socket.setEncoding('utf8').on('data', (piece: string) => (answer += piece));
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const refusals: unknown[] = [];
    const note = (error: unknown) => void refusals.push(error);
    const { requestTimeout } = server;
    try {
      await until('the call waits', () => service.app.feed.size > 0);
      server.on('clientError', note);
      if (timesOut) server.requestTimeout = 100;
      socket.write(second);
      await closed;
    } finally {
      server.requestTimeout = requestTimeout;
      server.off('clientError', note);
    }
    expect(refusals.length).toBeGreaterThan(0);
    await until('nobody waits', () => service.app.feed.size === 0);
    return answer;
  }

  const large = requestTo('/api/approvals', { method: 'POST', body: { toolInput: 'x'.repeat(4_000_000) } });
  const CASES = [
    ['with a body that is not read in time', large, true],
    ['that is not HTTP', 'hello\r\n\r\n', false],
  ] as const;

  it.each(CASES)(
    '%s cuts the connection: no second answer in the first one',
    async (_what, second, timesOut) => {
      const hook = requestTo(HOOK, { method: 'POST', body: preToolUse() });
      const answer = await sendBehind(hook, second, timesOut);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect(answer).not.toContain('problem');
    },
  );

  it.each(CASES)(
    '%s cuts the connection: its refusal is not the answer to the first',
    async (_what, second, timesOut) => {
      const { id } = (await service.api.enqueue()).body;
      const answer = await sendBehind(requestTo(`/api/approvals/${id}?wait=50`, {}), second, timesOut);
      expect(answer).toBe('');
    },
  );
});

describe('calls without a valid key', () => {
  it('are one refusal each in the metrics, and no warning in the log', async () => {
    const failed = async () => {
      const text = await (await fetch(`${service.app.url}/metrics`)).text();
      return Number(/^connector_answers_total\{(?=.*"mcp")(?=.*"failed").*\} (\d+)/m.exec(text)?.[1] ?? 0);
    };
    const warnings = () =>
      service.app.events.filter(({ event, level }) => event === 'connector.refused' && level === 'warn')
        .length;
    const batch = Array.from({ length: 100 }, (_, id) => ({ ...MCP_CALL, id }));
    const [before, warned] = [await failed(), warnings()];
    expect((await answerTo(MCP, { method: 'POST', body: batch, key: null })).status).toBe(200);
    expect(await failed()).toBe(before + 1);
    expect(warnings()).toBe(warned);
  });
});
