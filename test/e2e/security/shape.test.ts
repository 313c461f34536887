import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connect, type Socket } from 'node:net';
import { requestBody } from '../../support/api';
import { ownService } from '../../support/own-service';
import { sendRaw } from '../../support/raw-http';
import { AGENT_KEY, OPERATOR_KEY } from '../../support/well-known';

/** Memory that an unforced collection leaves depends on when it last ran. */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const service = ownService();

const withInput = (toolInput: string) =>
  `{"agentId":"a","sessionId":"s","toolName":"T","toolInput":${toolInput}}`;
const nested = (open: string, close: string, depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;

interface ProblemJson {
  readonly code: string;
  readonly errors?: readonly { path: string; message: string }[];
}

const post = (path: string, body: unknown, role: 'agent' | 'operator' = 'agent') =>
  service.api.call<ProblemJson>(role, 'POST', path, body);

describe('security 12: canonical JSON is unambiguous: 400 with a reason for', () => {
  it.each([
    ['a key twice', withInput('{"command":"ls","command":"rm -rf /"}'), /more than once/],
    ['a key twice, once escaped', withInput('{"a":1,"\\u0061":2}'), /more than once/],
    ['a key twice at the top', '{"toolName":"Read","toolName":"Bash"}', /more than once/],
    ['a key twice, deep down', withInput('{"x":[{"y":{"a":1,"b":2,"a":3}}]}'), /more than once/],
    ['a lone high surrogate', withInput('{"s":"\\ud800"}'), /surrogate/i],
    ['a lone low surrogate', withInput('{"s":"x\\udc00y"}'), /surrogate/i],
    ['a lone surrogate in a key', withInput('{"\\ud800":1}'), /surrogate/i],
    ['surrogates the wrong way round', withInput('{"s":"\\udc00\\ud800"}'), /surrogate/i],
    ['1e400', withInput('{"n":1e400}'), /range|number/i],
    ['-1e400', withInput('{"n":-1e400}'), /range|number/i],
    ['an integer that no double holds', withInput('{"n":9007199254740993}'), /9007199254740993/],
    ['a time in nanoseconds', withInput('{"n":1732900000123456789}'), /send it as a string/],
    ['a fraction that no double holds', withInput('{"n":4503599627370497.75}'), /4503599627370497\.75/],
    ['digits that an exponent hides', withInput('{"n":12345678901234567890e0}'), /send it as a string/],
    ['minus zero', withInput('{"n":-0}'), /-0 would become 0/],
    ['a leading zero', withInput('{"n":01}'), /./],
    ['NaN', withInput('{"n":NaN}'), /./],
    ['a comment', withInput('{"n":1/* not two */}'), /./],
    ['a trailing comma', withInput('{"n":1,}'), /./],
    ['a byte order mark', `\ufeff${withInput('{}')}`, /./],
    ['two documents', `${withInput('{}')}${withInput('{}')}`, /./],
  ])('%s', async (_what, body, reason) => {
    for (const path of ['/api/approvals', '/api/approvals?wait=1']) {
      const answer = await post(path, body);
      expect([answer.status, answer.body.code]).toEqual([400, 'request.invalid']);
      expect(answer.body.errors?.[0]?.message).toMatch(reason);
    }
  });

  it('what is taken comes back as it was, and is digested the same whatever its spelling', async () => {
    const spellings = ['{"b":[1.0,2],"a":"\\u00e9\\u0000"}', '{ "a" : "é\\u0000", "b" : [ 1, 2e0 ] }'];
    const [one, two] = await Promise.all(
      spellings.map((spelling) => service.api.call('agent', 'POST', '/api/approvals', withInput(spelling))),
    );
    expect(one?.body.toolInput).toEqual({ a: 'é\0', b: [1, 2] });
    expect(one?.body.inputDigest).toBe(two?.body.inputDigest);
  });

  it('an integer beyond 2^53 that a double prints as it was written is taken, and digested as written', async () => {
    const { status, body } = await service.api.call(
      'agent',
      'POST',
      '/api/approvals',
      withInput('{"n":725653563933458400}'),
    );
    expect(status).toBe(201);
    const action = '{"cwd":null,"toolInput":{"n":725653563933458400},"toolName":"T"}';
    expect(body.inputDigest).toBe(`sha256:${createHash('sha256').update(action).digest('hex')}`);
  });
});

describe('security 21: size, shape and time limits hold', () => {
  it.each([
    ['5 MB', JSON.stringify(requestBody({ summary: 'a'.repeat(5_000_000) })), 413],
    ['5 MB of white space', ' '.repeat(5_000_000), 413],
    ['one byte above 4 MiB', `"${'a'.repeat(4096 * 1024 - 1)}"`, 413],
    ['more parts than any action has', withInput(`[${'{},'.repeat(50_000)}{}]`), 400],
    ['objects 1000 deep', withInput(nested('{"a":', '}', 1000)), 400],
    ['lists 1000 deep', withInput(`{"a":${nested('[', ']', 1000)}}`), 400],
    ['lists 100 000 deep', '['.repeat(100_000), 400],
    ['an unknown field', JSON.stringify(requestBody({ admin: true })), 400],
    ['an unknown field named __proto__', '{"__proto__":{"admin":true}}', 400],
    [
      '10 000 unknown fields',
      JSON.stringify(Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, n]))),
      400,
    ],
    ['a label of 100 000 characters', JSON.stringify(requestBody({ agentId: 'a'.repeat(100_000) })), 400],
  ])('%s: a 4xx problem', async (_what, body, status) => {
    const answer = await post('/api/approvals', body);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });

  it('every route with a body refuses unknown fields, and the wrong types', async () => {
    const { id } = (await service.api.enqueue()).body;
    for (const [path, role, body] of [
      [`/api/approvals/${id}/decision`, 'operator', { decision: 'approved', force: true }],
      [`/api/approvals/${id}/decision`, 'operator', { decision: ['approved'] }],
      [`/api/approvals/${id}/cancel`, 'agent', { because: 'x' }],
      [`/api/approvals/${id}/cancel`, 'agent', { reason: 7 }],
      ['/api/diagnostics/circuit-breaker', 'operator', { action: 'open', for: 5 }],
    ] as const) {
      expect((await post(path, body, role)).status).toBe(400);
    }
    expect((await service.api.get(id)).body.status).toBe('pending');
  });

  it('memory stays flat under bodies that are refused', async () => {
    const refuse = async () => {
      const bodies = ['a'.repeat(10_000_000), withInput(nested('{"a":', '}', 1000)), '['.repeat(200_000)];
      for (const body of bodies) await post('/api/approvals', body);
    };
    for (let n = 0; n < 10; n++) await refuse();
    const kept = () => {
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = kept();
    for (let n = 0; n < 40; n++) await refuse();
    // 400 MB of bodies went by.
    expect(kept() - before).toBeLessThan(10_000_000);
  });
});

describe('security 21: who sends slowly or too much of it does not hold a socket', () => {
  const HEADERS_SENT_WITHIN_MS = 5_000;

  /** Says something and then a little now and again. @returns how it was answered, and after how long. */
  function dripping(first: string, drip: string): Promise<{ answer: string; afterMs: number }> {
    const { hostname, port } = new URL(service.app.url);
    const startMs = performance.now();
    return new Promise((resolve) => {
      const socket: Socket = connect(Number(port), hostname, () => socket.write(first));
      let answer = '';
      const drops = setInterval(() => socket.write(drip), 200);
      socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
      socket.on('error', () => undefined);
      socket.on('close', () => {
        clearInterval(drops);
        resolve({ answer, afterMs: performance.now() - startMs });
      });
    });
  }

  it('headers that drip in for ever are cut off with 408, and others are served meanwhile', async () => {
    const slow = Promise.all(
      Array.from({ length: 50 }, () => dripping('GET /health/live HTTP/1.1\r\nHost: x\r\n', 'X-Drop: 1\r\n')),
    );
    expect((await service.api.enqueue()).status).toBe(201);
    for (const { answer, afterMs } of await slow) {
      expect(answer).toMatch(/^HTTP\/1\.1 408 /);
      expect(afterMs).toBeGreaterThanOrEqual(HEADERS_SENT_WITHIN_MS - 100);
    }
  });

  it('a flood of headers is 431, and of a long address 414 or 431', async () => {
    const many = Array.from({ length: 2000 }, (_, n) => `X-H${n}: ${'v'.repeat(20)}`).join('\r\n');
    expect(await sendRaw(service.app.url, `GET /health/live HTTP/1.1\r\nHost: x\r\n${many}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
    const long = `GET /api/approvals/${'x'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`;
    expect(await sendRaw(service.app.url, long)).toMatch(/^HTTP\/1\.1 4(14|31) /);
  });
});

describe('security 21: answers are hardened', () => {
  const paths = [
    '/api/approvals',
    '/api/docs',
    '/health',
    '/no/such/route',
    '/metrics',
    '/api/approvals/x/events',
  ];

  it.each(paths)('%s has the security headers, and says nothing of what it runs on', async (path) => {
    const { headers } = await fetch(`${service.app.url}${path}`, {
      headers: { authorization: `Bearer ${AGENT_KEY}` },
    });
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('server')).toBeNull();
  });

  it('no other site may read them: CORS is off', async () => {
    const origin = { origin: 'https://evil.example', authorization: `Bearer ${OPERATOR_KEY}` };
    for (const method of ['GET', 'OPTIONS']) {
      const { headers } = await fetch(`${service.app.url}/api/approvals`, {
        method,
        headers: { ...origin, 'access-control-request-method': 'POST' },
      });
      expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });

  it('no answer shows a stack trace', async () => {
    for (const [path, init] of [
      ['/api/approvals', { method: 'POST', body: '{"a":', headers: { 'content-type': 'application/json' } }],
      ['/api/approvals/%E0%A4%A', {}],
      ['/no/such', {}],
      ['/api/approvals', { method: 'DELETE' }],
    ] as const) {
      const response = await fetch(`${service.app.url}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${AGENT_KEY}`, ...('headers' in init ? init.headers : {}) },
      });
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(await response.text()).not.toMatch(/\\n +at |node_modules|\.[jt]s:\d/);
    }
  });
});
