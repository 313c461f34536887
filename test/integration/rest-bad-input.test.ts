import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { HttpAdapterHost } from '@nestjs/core';
import * as fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { requestBody } from '../support/api';
import { AGENT_KEY, OPERATOR_KEY } from '../support/app';
import { ownService } from '../support/own-service';
import { sendRaw } from '../support/raw-http';

interface ProblemJson {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly correlationId: string;
  readonly errors?: { path: string; message: string }[];
}

const service = ownService({ APPROVAL_MAX_PENDING_PER_AGENT: '1000000' });

const stored = async () =>
  (await service.database.query<{ count: number }>(`select count(*)::int as count from approvals`))[0]?.count;

interface Refusal {
  status: number;
  code: string;
  paths?: string[];
}

/** Requires an RFC 9457 problem with our code and the correlation id of the header. */
function expectProblem(answer: { status: number; body: unknown; headers: Headers }, refusal: Refusal): void {
  const body = answer.body as ProblemJson;
  expect({ status: answer.status, code: body.code }).toEqual({ status: refusal.status, code: refusal.code });
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(body).toMatchObject({
    type: `urn:countersign:problem:${refusal.code}`,
    title: expect.stringMatching(/./) as string,
    status: refusal.status,
  });
  expect(body.correlationId).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.headers.get('x-correlation-id')).toBe(body.correlationId);
  if (refusal.code === 'request.invalid') {
    expect(body.errors?.length).toBeGreaterThan(0);
    for (const { message } of body.errors ?? []) expect(message).not.toBe('');
  }
  if (refusal.paths) expect(body.errors?.map(({ path }) => path).sort()).toEqual([...refusal.paths].sort());
}

const INVALID = { status: 400, code: 'request.invalid' };
const invalidAt = (...paths: string[]) => ({ ...INVALID, paths });

it('a word for ifRuled that is not known is refused, and nothing stored', async () => {
  const before = await stored();
  for (const query of ['ifRuled=yes', 'ifRuled=', 'ifRuled=true&ifRuled=false'])
    expectProblem(
      await service.api.call('agent', 'POST', `/api/approvals?${query}`, requestBody()),
      invalidAt('ifRuled'),
    );
  expect(await stored()).toBe(before);
});

describe('a body of POST /api/approvals is refused, and nothing stored, when it has', () => {
  const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
  const withInput = (toolInput: string) =>
    `{"agentId":"a","sessionId":"s","toolName":"T","toolInput":${toolInput}}`;

  const cases: [string, unknown, Refusal][] = [
    ['an unknown field', requestBody({ tool: 'x' }), invalidAt('tool')],
    ['several unknown fields', requestBody({ b: 1, a: 2 }), invalidAt('a', 'b')],
    [
      'an unknown field named __proto__',
      '{"__proto__":{"x":1},"agentId":"a","sessionId":"s","toolName":"T","toolInput":{}}',
      invalidAt('__proto__'),
    ],
    [
      'every fault at once',
      { agentId: 1, sessionId: '', toolInput: [], x: 1 },
      invalidAt('agentId', 'sessionId', 'toolName', 'toolInput', 'x'),
    ],
    ['nothing in it', {}, invalidAt('agentId', 'sessionId', 'toolName', 'toolInput')],
    ['a wrong type: number for agentId', requestBody({ agentId: 7 }), invalidAt('agentId')],
    ['a wrong type: null for sessionId', requestBody({ sessionId: null }), invalidAt('sessionId')],
    ['a wrong type: list for toolInput', requestBody({ toolInput: ['x'] }), invalidAt('toolInput')],
    ['a wrong type: text for toolInput', requestBody({ toolInput: 'ls' }), invalidAt('toolInput')],
    ['a wrong type: null for toolInput', requestBody({ toolInput: null }), invalidAt('toolInput')],
    ['a wrong type: list for metadata', requestBody({ metadata: [] }), invalidAt('metadata')],
    [
      'a wrong type: text for timeoutSeconds',
      requestBody({ timeoutSeconds: '60' }),
      invalidAt('timeoutSeconds'),
    ],
    ['a list as the whole', [requestBody()], INVALID],
    ['text as the whole', '"hello"', INVALID],
    ['null as the whole', 'null', INVALID],
    ['an empty agentId', requestBody({ agentId: '' }), invalidAt('agentId')],
    ['an empty toolName', requestBody({ toolName: '' }), invalidAt('toolName')],
    ['an empty summary', requestBody({ summary: '' }), invalidAt('summary')],
    ['an over-long agentId', requestBody({ agentId: 'a'.repeat(201) }), invalidAt('agentId')],
    ['an over-long sessionId', requestBody({ sessionId: 'a'.repeat(201) }), invalidAt('sessionId')],
    ['an over-long toolName', requestBody({ toolName: 'a'.repeat(201) }), invalidAt('toolName')],
    ['an over-long toolUseId', requestBody({ toolUseId: 'a'.repeat(201) }), invalidAt('toolUseId')],
    ['an over-long summary', requestBody({ summary: 'a'.repeat(2001) }), invalidAt('summary')],
    ['an over-long cwd', requestBody({ cwd: 'a'.repeat(4097) }), invalidAt('cwd')],
    ['timeoutSeconds 0', requestBody({ timeoutSeconds: 0 }), invalidAt('timeoutSeconds')],
    ['a negative timeoutSeconds', requestBody({ timeoutSeconds: -1 }), invalidAt('timeoutSeconds')],
    ['a fraction of timeoutSeconds', requestBody({ timeoutSeconds: 1.5 }), invalidAt('timeoutSeconds')],
    ['timeoutSeconds above the maximum', requestBody({ timeoutSeconds: 7201 }), invalidAt('timeoutSeconds')],
    ['a huge timeoutSeconds', requestBody({ timeoutSeconds: 1e15 }), invalidAt('timeoutSeconds')],
    ['5 MB', requestBody({ summary: 'a'.repeat(5_000_000) }), { status: 413, code: 'request.too-large' }],
    [
      'one byte more than 4 MiB',
      withInput(`"${'a'.repeat(4096 * 1024)}"`).slice(0, 4096 * 1024 + 1),
      { status: 413, code: 'request.too-large' },
    ],
    ['depth 1000', withInput(deep(1000)), INVALID],
    ['depth 100 000', withInput('['.repeat(100_000)), INVALID],
    ['a key twice', withInput('{"a":1,"a":2}'), INVALID],
    [
      'a key twice at the top',
      '{"agentId":"a","agentId":"b","sessionId":"s","toolName":"T","toolInput":{}}',
      INVALID,
    ],
    ['an integer that no double holds', withInput('{"n":9007199254740993}'), INVALID],
    ['a fraction that no double holds', withInput('{"n":4503599627370497.75}'), INVALID],
    ['minus zero', withInput('{"n":-0}'), INVALID],
    ['a number beyond double range', withInput('{"n":1e400}'), INVALID],
    ['a lone surrogate', withInput('{"s":"\\ud800"}'), INVALID],
    ['a lone surrogate in a label', requestBody({ agentId: '\ud800' }), INVALID],
    ['no JSON', '{"agentId":', INVALID],
    ['single quotes', "{'agentId':'a'}", INVALID],
    ['something after the end', `${JSON.stringify(requestBody())} x`, INVALID],
    ['no bytes', '', INVALID],
    [
      'invalid UTF-8',
      Buffer.concat([Buffer.from('{"agentId":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
      INVALID,
    ],
    ['a byte order mark', `\ufeff${JSON.stringify(requestBody())}`, INVALID],
  ];

  it.each(cases)('%s', async (_what, body, refusal) => {
    const before = await stored();
    expectProblem(await service.api.call('agent', 'POST', '/api/approvals', body), refusal);
    expect(await stored()).toBe(before);
  });

  it('nothing where something is required, which is said so', async () => {
    const { body } = await service.api.call<ProblemJson>('agent', 'POST', '/api/approvals', {
      toolInput: {},
    });
    expect(body.errors).toEqual(
      ['agentId', 'sessionId', 'toolName'].map((path) => ({ path, message: 'is required' })),
    );
  });

  it('no content type, or another than JSON', async () => {
    const before = await stored();
    for (const type of [
      'text/plain',
      'application/xml',
      'multipart/form-data',
      'application/x-www-form-urlencoded',
    ]) {
      const answer = await service.api.call('agent', 'POST', '/api/approvals', '{}', {
        'content-type': type,
      });
      expectProblem(answer, { status: 415, code: 'request.media-type-unsupported' });
      expect(answer.body.detail).toBe('Send Content-Type: application/json.');
    }
    expectProblem(await service.api.call('agent', 'POST', '/api/approvals'), INVALID);
    expect(await stored()).toBe(before);
  });

  it('a body that is compressed, which is named', async () => {
    const before = await stored();
    const answer = await service.api.call(
      'agent',
      'POST',
      '/api/approvals',
      gzipSync(JSON.stringify(requestBody())),
      {
        'content-encoding': 'gzip',
      },
    );
    expectProblem(answer, { status: 415, code: 'request.media-type-unsupported' });
    expect(answer.body.detail).toContain('gzip');
    expect(await stored()).toBe(before);
  });
});

describe('the limits themselves are allowed', () => {
  it.each([
    ['200 characters in a label', { agentId: 'a'.repeat(200) }],
    ['2000 characters in the summary', { summary: 'a'.repeat(2000) }],
    ['4096 characters in cwd', { cwd: 'a'.repeat(4096) }],
    ['the shortest timeout', { timeoutSeconds: 1 }],
    ['the longest timeout', { timeoutSeconds: 7200 }],
    ['an empty action', { toolInput: {} }],
    [
      'null for what may be left out',
      { toolUseId: null, summary: null, cwd: null, timeoutSeconds: null, metadata: null },
    ],
  ])('%s', async (_what, more) => {
    expect((await service.api.enqueue(more)).status).toBe(201);
  });
});

describe('the other inputs are refused when they have', () => {
  const id = randomUUID();
  const cases: [string, 'agent' | 'operator', 'GET' | 'POST', string, unknown, Refusal][] = [
    ['a malformed id', 'agent', 'GET', '/api/approvals/42', undefined, invalidAt('id')],
    [
      'a malformed id in a decision',
      'operator',
      'POST',
      '/api/approvals/42/decision',
      { decision: 'approved' },
      invalidAt('id'),
    ],
    ['a malformed id in a cancellation', 'agent', 'POST', '/api/approvals/x/cancel', {}, invalidAt('id')],
    ['a malformed id of a stream', 'agent', 'GET', '/api/approvals/x/events', undefined, invalidAt('id')],
    ['U+0000 in the id', 'agent', 'GET', '/api/approvals/%00', undefined, invalidAt('id')],
    ['wait above 55', 'agent', 'GET', `/api/approvals/${id}?wait=56`, undefined, invalidAt('wait')],
    ['a negative wait', 'agent', 'GET', `/api/approvals/${id}?wait=-1`, undefined, invalidAt('wait')],
    ['a fraction of wait', 'agent', 'GET', `/api/approvals/${id}?wait=1.5`, undefined, invalidAt('wait')],
    ['an empty wait', 'agent', 'GET', `/api/approvals/${id}?wait=`, undefined, invalidAt('wait')],
    ['wait twice', 'agent', 'GET', `/api/approvals/${id}?wait=1&wait=2`, undefined, invalidAt('wait')],
    [
      'an unknown query parameter',
      'agent',
      'GET',
      `/api/approvals/${id}?timeout=5`,
      undefined,
      invalidAt('timeout'),
    ],
    [
      'a wrong wait in the question itself',
      'agent',
      'POST',
      '/api/approvals?wait=600',
      requestBody(),
      invalidAt('wait'),
    ],
    ['an unknown status', 'agent', 'GET', '/api/approvals?status=open', undefined, invalidAt('status')],
    ...['verify', 'checkpoints'].map((route): (typeof cases)[number] => [
      `an unknown query parameter of ${route}`,
      'operator',
      'GET',
      `/api/audit/${route}?x=1`,
      undefined,
      invalidAt('x'),
    ]),
    ['limit 0', 'agent', 'GET', '/api/approvals?limit=0', undefined, invalidAt('limit')],
    ['limit 201', 'agent', 'GET', '/api/approvals?limit=201', undefined, invalidAt('limit')],
    ['a malformed cursor', 'agent', 'GET', '/api/approvals?cursor=next', undefined, invalidAt('cursor')],
    ['an empty agentId', 'agent', 'GET', '/api/approvals?agentId=', undefined, invalidAt('agentId')],
    [
      'several faults in a list',
      'agent',
      'GET',
      '/api/approvals?limit=x&status=y',
      undefined,
      invalidAt('limit', 'status'),
    ],
    [
      'a verdict that is none',
      'operator',
      'POST',
      `/api/approvals/${id}/decision`,
      { decision: 'maybe' },
      invalidAt('decision'),
    ],
    ['no verdict', 'operator', 'POST', `/api/approvals/${id}/decision`, {}, invalidAt('decision')],
    ['no body', 'operator', 'POST', `/api/approvals/${id}/decision`, undefined, INVALID],
    [
      'an unknown field in a decision',
      'operator',
      'POST',
      `/api/approvals/${id}/decision`,
      { decision: 'approved', by: 'me' },
      invalidAt('by'),
    ],
    [
      'an over-long reason',
      'operator',
      'POST',
      `/api/approvals/${id}/decision`,
      { decision: 'approved', reason: 'a'.repeat(1001) },
      invalidAt('reason'),
    ],
    ['an empty reason', 'agent', 'POST', `/api/approvals/${id}/cancel`, { reason: '' }, invalidAt('reason')],
    [
      'a reason that is no text',
      'agent',
      'POST',
      `/api/approvals/${id}/cancel`,
      { reason: 5 },
      invalidAt('reason'),
    ],
    [
      'an unknown id',
      'agent',
      'GET',
      `/api/approvals/${id}`,
      undefined,
      { status: 404, code: 'approval.not-found' },
    ],
    [
      'an unknown id of no known version',
      'agent',
      'GET',
      '/api/approvals/11111111-1111-1111-1111-111111111111',
      undefined,
      { status: 404, code: 'approval.not-found' },
    ],
    [
      'an unknown id in a decision',
      'operator',
      'POST',
      `/api/approvals/${id}/decision`,
      { decision: 'approved' },
      { status: 404, code: 'approval.not-found' },
    ],
    [
      'an unknown id of a stream',
      'agent',
      'GET',
      `/api/approvals/${id}/events`,
      undefined,
      { status: 404, code: 'approval.not-found' },
    ],
    ['a badly encoded address', 'agent', 'GET', '/api/approvals/%E0%A4%A', undefined, INVALID],
    [
      'a badly encoded query',
      'agent',
      'GET',
      '/api/approvals?cursor=%E0%A4%A',
      undefined,
      invalidAt('cursor'),
    ],
    [
      'an unknown route',
      'agent',
      'GET',
      '/api/approval',
      undefined,
      { status: 404, code: 'request.route-unknown' },
    ],
    [
      'an unknown route outside',
      'agent',
      'GET',
      '/nothing/here',
      undefined,
      { status: 404, code: 'request.route-unknown' },
    ],
    [
      'a method that the route has not',
      'agent',
      'POST',
      `/api/approvals/${id}`,
      {},
      { status: 404, code: 'request.route-unknown' },
    ],
  ];

  it.each(cases)('%s', async (_what, role, method, path, body, refusal) => {
    const before = await stored();
    expectProblem(await service.api.call(role, method, path, body), refusal);
    expect(await stored()).toBe(before);
  });

  it.each(['', 'with space', 'x'.repeat(256), 'ümlaut'])('the Idempotency-Key %j', async (key) => {
    const before = await stored();
    expectProblem(await service.api.enqueue({}, { 'idempotency-key': key }), invalidAt('Idempotency-Key'));
    expect(await stored()).toBe(before);
  });
});

describe('keys', () => {
  const UNAUTHENTICATED = { status: 401, code: 'access.unauthenticated' };
  const FORBIDDEN = { status: 403, code: 'access.forbidden' };

  it.each([
    ['none', {}],
    ['an unknown one', { authorization: `Bearer ${'x'.repeat(43)}` }],
    ['one that is cut', { authorization: `Bearer ${AGENT_KEY.slice(0, -1)}` }],
    ['another scheme', { authorization: `Basic ${Buffer.from(`x:${AGENT_KEY}`).toString('base64')}` }],
    ['the key alone', { authorization: AGENT_KEY }],
    ['two keys', { authorization: `Bearer ${AGENT_KEY} ${OPERATOR_KEY}` }],
    ['nothing after Bearer', { authorization: 'Bearer ' }],
  ])(
    '%s: 401 on every route that needs one, and how to do it right',
    async (_what, headers: Record<string, string>) => {
      const before = await stored();
      for (const [method, path, body] of [
        ['POST', '/api/approvals', requestBody()],
        ['GET', '/api/approvals', undefined],
        ['GET', `/api/approvals/${randomUUID()}`, undefined],
        ['GET', `/api/approvals/${randomUUID()}/events`, undefined],
        ['POST', `/api/approvals/${randomUUID()}/decision`, { decision: 'approved' }],
        ['POST', `/api/approvals/${randomUUID()}/cancel`, {}],
      ] as const) {
        const answer = await service.api.call(null, method, path, body, headers);
        expectProblem(answer, UNAUTHENTICATED);
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      }
      expect(await stored()).toBe(before);
    },
  );

  it('an operator does not ask and an agent does not decide: 403', async () => {
    const { body } = await service.api.enqueue();
    expectProblem(await service.api.call('operator', 'POST', '/api/approvals', requestBody()), FORBIDDEN);
    const decision = { decision: 'approved' };
    expectProblem(
      await service.api.call('agent', 'POST', `/api/approvals/${body.id}/decision`, decision),
      FORBIDDEN,
    );
    expect((await service.api.get(body.id)).body.status).toBe('pending');
  });

  it('the scheme is read in any case', async () => {
    const headers = { authorization: `bearer ${AGENT_KEY}` };
    expect((await service.api.call(null, 'GET', '/api/approvals', undefined, headers)).status).toBe(200);
  });
});

describe('bytes that are no HTTP request', () => {
  it.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400],
    ['headers beyond all measure', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
  ])('%s get a problem too', async (_what, text, status) => {
    const answer = await sendRaw(service.app.url, text);
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toMatch(/content-type: application\/problem\+json/i);
    const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as ProblemJson;
    expect(problem).toMatchObject({ status, code: 'request.invalid' });
    expect(problem.correlationId).toMatch(/^[0-9a-f-]{36}$/);
  });
});

it.each(['/api/approvals', '/connectors/claude-code/hook', '/connectors/mcp'])(
  'a body to %s whose connection is lost is no failure of the service',
  async (path) => {
    const { hostname, port } = new URL(service.app.url);
    const accepted = once(
      service.app.get<HttpAdapterHost>(HttpAdapterHost).httpAdapter.getHttpServer() as Server,
      'connection',
    );
    const caller = connect(Number(port), hostname);
    const [socket] = (await accepted) as [Socket];
    const head = [
      `POST ${path} HTTP/1.1`,
      'Host: x',
      `Authorization: Bearer ${AGENT_KEY}`,
      'Content-Type: application/json',
      'Content-Length: 100',
      'Expect: 100-continue',
    ];
    caller.write([...head, '', '{'].join('\r\n'));
    await once(caller, 'data');
    caller.destroy();
    await once(socket, 'close');
    expect((await service.api.enqueue()).status).toBe(201);
    expect(service.app.events.filter(({ event }) => event === 'http.failed')).toEqual([]);
  },
);

describe('whatever is sent', () => {
  it('to POST /api/approvals is answered with 201 or a 4xx problem, and what is stored comes back', async () => {
    const json = fc.jsonValue({ noUnicodeString: false, maxDepth: 5 });
    const nearly = fc.record(
      {
        agentId: fc.oneof({ weight: 9, arbitrary: fc.string({ unit: 'binary', maxLength: 210 }) }, json),
        sessionId: fc.oneof({ weight: 9, arbitrary: fc.string({ unit: 'grapheme', minLength: 1 }) }, json),
        toolName: fc.oneof({ weight: 9, arbitrary: fc.string({ minLength: 1 }) }, json),
        toolInput: fc.oneof(
          { weight: 9, arbitrary: fc.dictionary(fc.string({ unit: 'binary' }), json) },
          json,
        ),
        toolUseId: fc.option(fc.string()),
        summary: fc.option(fc.string({ unit: 'binary', maxLength: 50 })),
        cwd: fc.option(fc.string({ maxLength: 50 })),
        timeoutSeconds: fc.option(fc.oneof(fc.integer({ min: -5, max: 8000 }), fc.double()), {
          nil: undefined,
        }),
        metadata: fc.oneof(fc.dictionary(fc.string(), json), json),
      },
      { requiredKeys: ['agentId', 'sessionId', 'toolName', 'toolInput'] },
    );
    const mutilated = fc.tuple(nearly, fc.nat(), fc.uint8Array({ maxLength: 4 })).map(([body, at, bytes]) => {
      const text = Buffer.from(JSON.stringify(body));
      const place = at % (text.length + 1);
      return Buffer.concat([text.subarray(0, place), bytes, text.subarray(place + bytes.length)]);
    });
    const bodies = fc.oneof(
      { weight: 5, arbitrary: nearly.map((body) => JSON.stringify(body)) },
      { weight: 2, arbitrary: mutilated },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)) },
      { weight: 1, arbitrary: json.map((value) => JSON.stringify(value)) },
    );
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        const answer = await service.api.call('agent', 'POST', '/api/approvals', body);
        if (answer.status !== 201) {
          expectProblem(answer, INVALID);
          return;
        }
        accepted++;
        const sent = JSON.parse(body.toString()) as { toolInput: unknown };
        const found = await service.api.get(answer.body.id);
        expect(found.body.toolInput).toEqual(sent.toolInput);
      }),
      { numRuns: 400 },
    );
    expect(accepted).toBeGreaterThan(20);
  });
});
