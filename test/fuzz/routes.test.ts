import * as fc from 'fast-check';
import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { Api } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey, keyIs } from '../support/keys';
import { AGENT_KEY, BOT_TOKEN, CHAT_ID, OPERATOR_KEY } from '../support/well-known';

/** `npm run test:fuzz` gives it a minute. */
const SECONDS = Number(process.env.FUZZ_SECONDS ?? '5');
const CALLERS = 6;
/** Waiting calls and streams are hung up on after this. */
const HANG_UP_MS = 150;

const WEBHOOK_SECRET = `webhook-secret-${'w'.repeat(24)}`;
/** A text in bodies, addresses and headers that no log line may hold. */
const CANARY = `canary-${'c0ffee'.repeat(6)}`;

interface Route {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly { name: string; in: string }[];
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer | null;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

let database: TestDatabase;
let app: TestApp;
let routes: Route[];
let secrets: string[];
let knownIds: string[];
const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });

beforeAll(async () => {
  database = await createTestDatabase();
  app = await startTestApp(database.url, {
    TELEGRAM_BOT_TOKEN: BOT_TOKEN,
    TELEGRAM_CHAT_ID: CHAT_ID,
    TELEGRAM_OPERATORS: '1',
    // Nobody is there: what Telegram would be told fails, and the secrets in it must not show either.
    TELEGRAM_API_ROOT: 'http://127.0.0.1:9',
    TELEGRAM_MODE: 'webhook',
    TELEGRAM_WEBHOOK_URL: 'https://example.org/telegram/webhook',
    TELEGRAM_WEBHOOK_SECRET: WEBHOOK_SECRET,
    RATE_LIMIT_AGENT_MIB_PER_HOUR: '1000000',
    APPROVAL_MAX_PENDING_MIB_PER_AGENT: '1000000',
    APPROVAL_MAX_PENDING_PER_AGENT: '1000000',
    LOG_LEVEL: 'trace',
  });
  const observer = await issueKey(database, 'observer', 'observer');
  await keyIs(true, app.url, observer);
  secrets = [AGENT_KEY, OPERATOR_KEY, observer, BOT_TOKEN.split(':')[1] ?? '', WEBHOOK_SECRET, CANARY];
  const document = (await (await fetch(`${app.url}/api/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { parameters?: Route['parameters'] }>>;
  };
  routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [] }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
    })),
  );
  routes.push({ method: 'POST', path: '/telegram/webhook', parameters: [] });
  const asked = await Promise.all(
    Array.from({ length: 10 }, () => new Api(app.url).enqueue({ summary: CANARY })),
  );
  knownIds = asked.map(({ body: { id } }) => id);
});
afterAll(async () => {
  agent.destroy();
  await app.close();
  await database.drop();
});

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    CANARY,
    '\0',
    '../../etc/passwd',
    "' or 1=1 --",
    '{{7*7}}',
    '%00',
    '\ud83d\ude00',
    '-1',
    '1e9',
  ),
);

const json = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom(null, [], {}, '', 0, 2 ** 53, CANARY, 'approved', 'rejected', true),
);

/** Members that some route knows, with values it may or may not like. */
const fields = fc.record(
  {
    agentId: fc.oneof(text, json),
    sessionId: fc.oneof(text, json),
    toolName: fc.oneof(text, fc.constantFrom('Bash', 'Read'), json),
    toolInput: fc.oneof(fc.dictionary(text, json, { maxKeys: 4 }), json),
    toolUseId: json,
    summary: fc.oneof(text, json),
    cwd: fc.oneof(text, json),
    timeoutSeconds: fc.oneof(fc.integer(), json),
    metadata: fc.oneof(fc.dictionary(text, json, { maxKeys: 3 }), json),
    decision: fc.oneof(fc.constantFrom('approved', 'rejected'), json),
    reason: fc.oneof(text, json),
    action: fc.oneof(fc.constantFrom('close', 'reset'), json),
    outcome: fc.oneof(fc.constantFrom('gone', 'answered', 'resumed', 'ran', 'failed'), json),
    id: fc.oneof(text, json),
  },
  { requiredKeys: [] },
);

const person = fc.record({
  id: fc.oneof(fc.constantFrom(1, 2, 777_000), fc.integer()),
  is_bot: fc.boolean(),
  first_name: text,
});
const message = fc.record(
  {
    message_id: fc.oneof(fc.integer(), json),
    date: fc.integer(),
    chat: fc.record({
      id: fc.oneof(fc.constant(Number(CHAT_ID)), fc.integer()),
      type: fc.constantFrom('supergroup', 'private'),
    }),
    from: person,
    sender_chat: json,
    text: fc.oneof(text, fc.constantFrom('/pending', '/status', '/whoami', '/help')),
    entities: fc.oneof(fc.constant([{ type: 'bot_command', offset: 0, length: 7 }]), json),
  },
  { requiredKeys: ['message_id', 'chat', 'from'] },
);

/** Updates as the Bot API makes them, more or less. */
const update = fc.oneof(
  fc.record({
    update_id: fc.integer(),
    callback_query: fc.record(
      {
        id: text,
        from: person,
        message,
        chat_instance: text,
        data: fc.oneof(
          text,
          fc.constantFrom(`1:a:${'A'.repeat(22)}`, `1:s:00000000-0000-7000-8000-000000000000`),
        ),
      },
      { requiredKeys: ['id', 'from'] },
    ),
  }),
  fc.record({ update_id: fc.integer(), message }),
  fc.record({ update_id: fc.oneof(fc.integer(), json), my_chat_member: json }),
);

const minimal = { agentId: 'a', sessionId: 's', toolName: 'T', toolInput: {} };

const fine = fc.constantFrom(minimal, minimal, { decision: 'approved' }, { reason: CANARY }, {});

const body = fc.oneof(
  { weight: 8, arbitrary: fine.map((value) => Buffer.from(JSON.stringify(value))) },
  { weight: 2, arbitrary: fields.map((value) => Buffer.from(JSON.stringify(value))) },
  { weight: 4, arbitrary: fields.map((value) => Buffer.from(JSON.stringify({ ...minimal, ...value }))) },
  { weight: 2, arbitrary: json.map((value) => Buffer.from(JSON.stringify(value))) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3000 }).map((n) => Buffer.from('{"a":'.repeat(n))) },
  { weight: 1, arbitrary: fc.constant(Buffer.alloc(300_000, 0x20)) },
);

const authorization = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(`Bearer ${AGENT_KEY}`) },
  { weight: 4, arbitrary: fc.constantFrom(`Bearer ${OPERATOR_KEY}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      'Bearer',
      'Bearer ',
      `Basic ${CANARY}`,
      `Bearer ${CANARY}`,
      `bearer ${AGENT_KEY}`,
    ),
  },
);

/** Header values as Node lets them out; what it does not is tried byte by byte elsewhere. */
const headerText = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'abcXYZ019-_:/.;=,"\'{}[]\\% '.split('')), maxLength: 300 }),
  fc.constantFrom(CANARY, '0', '-1', '99999999999999999999', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`),
);

const anything: fc.Arbitrary<Call> = fc
  .record({
    pick: fc.nat(),
    verb: fc.option(fc.constantFrom('PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'), { freq: 20 }),
    segment: fc.oneof(
      { weight: 4, arbitrary: fc.nat().map((n) => knownIds[n % Math.max(1, knownIds.length)] ?? 'x') },
      { weight: 1, arbitrary: fc.oneof(fc.uuid(), text.map(encodeURIComponentSafely)) },
    ),
    query: fc.dictionary(
      fc.oneof(fc.constantFrom('wait', 'limit', 'cursor', 'status', 'agentId', 'after'), text),
      text,
      { maxKeys: 3 },
    ),
    queried: fc.nat(3).map((n) => n === 0),
    authorization,
    more: fc.dictionary(
      fc.constantFrom(
        'idempotency-key',
        'x-correlation-id',
        'traceparent',
        'countersign-wait-seconds',
        'accept',
        'origin',
        'mcp-session-id',
      ),
      headerText,
      { maxKeys: 3 },
    ),
    type: fc.oneof(
      { weight: 8, arbitrary: fc.constant('application/json') },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          'text/plain',
          'application/json; charset=latin1',
          '',
          'multipart/form-data; boundary=x',
        ),
      },
    ),
    body,
    update,
    secret: fc.oneof(
      { weight: 4, arbitrary: fc.constant(WEBHOOK_SECRET) },
      { weight: 1, arbitrary: fc.constantFrom('', CANARY) },
    ),
  })
  .map(
    ({
      pick,
      verb,
      segment,
      query,
      queried,
      authorization: key,
      more,
      type,
      body: sent,
      update: told,
      secret,
    }) => {
      const route = routes[pick % routes.length] as Route;
      const webhook = route.path === '/telegram/webhook';
      const path = route.path.replaceAll(/\{[^}]+\}/g, () => segment);
      const method = verb ?? route.method;
      const bodied = method !== 'GET' && method !== 'HEAD';
      const search = queried ? `?${new URLSearchParams(query).toString()}` : '';
      return {
        method,
        path: `${path}${search}`,
        headers: {
          ...more,
          ...(key && { authorization: key }),
          ...(bodied && type && { 'content-type': type }),
          ...(webhook && { 'x-telegram-bot-api-secret-token': secret }),
        },
        body: bodied ? (webhook && pick % 4 ? Buffer.from(JSON.stringify(told)) : sent) : null,
      };
    },
  );

/** Calls that pass authentication, with arbitrary content. */
const asking: fc.Arbitrary<Call> = fc
  .dictionary(text, json, { maxKeys: 4 })
  .map((toolInput) => JSON.stringify({ ...minimal, summary: CANARY, toolInput }))
  .map((said) => ({
    method: 'POST',
    path: '/api/approvals',
    headers: { authorization: `Bearer ${AGENT_KEY}`, 'content-type': 'application/json' },
    body: Buffer.from(said),
  }));

const call = fc.oneof({ weight: 15, arbitrary: anything }, { weight: 1, arbitrary: asking });

function encodeURIComponentSafely(value: string): string {
  return encodeURIComponent(value.toWellFormed()) || '-';
}

/** @returns the answer; null when it waits or streams and was hung up on. */
function send({ method, path, headers: named, body: bytes }: Call): Promise<Answer | null> {
  // Node itself gives the body of a DELETE or OPTIONS no length, and it is then read as the next request.
  const headers = bytes === null ? named : { ...named, 'content-length': bytes.length };
  return new Promise((resolve, reject) => {
    const outgoing = request(`${app.url}${path}`, { method, headers, agent }, (incoming) => {
      let received = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => (received += chunk));
      incoming.on('close', () => {
        clearTimeout(impatience);
        resolve(
          incoming.complete
            ? { status: incoming.statusCode ?? 0, headers: incoming.headers, text: received }
            : null,
        );
      });
      incoming.on('error', () => undefined);
    });
    const impatience = setTimeout(
      () => outgoing.destroy(),
      /wait|events|mcp|hook/.test(path) ? HANG_UP_MS : 20_000,
    );
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(impatience);
      // A body that was refused before it was read ends the connection under it.
      if (['ECONNRESET', 'EPIPE'].includes(error.code ?? '')) resolve(null);
      else reject(error);
    });
    outgoing.end(bytes ?? undefined);
  });
}

/** MCP speaks JSON-RPC, also about a message that it could not take. */
function isJsonRpcError({ status, text: said }: Answer): boolean {
  if (status >= 500) return false;
  const { jsonrpc, error } = JSON.parse(said) as { jsonrpc?: unknown; error?: Record<string, unknown> };
  return jsonrpc === '2.0' && typeof error?.code === 'number' && typeof error.message === 'string';
}

/** The fault of an answer; null when it has none. */
function faultOf({ path }: Call, answer: Answer): string | null {
  const { status, headers, text: said } = answer;
  // 503 is said by a service that is unwell, and here Telegram is away from the start.
  if (status >= 500 && status !== 503) return `it is ${status}`;
  // HEAD is answered without a body.
  if (status < 400 || said === '') return null;
  if (/\n +at |node_modules/.test(said)) return 'it shows a stack trace';
  if (secrets.some((secret) => secret !== CANARY && said.includes(secret))) return 'it shows a secret';
  if (path.split('?')[0] === '/connectors/mcp' && isJsonRpcError(answer)) return null;
  if (!String(headers['content-type']).startsWith('application/problem+json'))
    return 'it is no problem document';
  const problem = JSON.parse(said) as Record<string, unknown>;
  if (problem.status !== status || typeof problem.code !== 'string')
    return 'the problem document is not that of the status';
  return null;
}

it(
  `security 18, 21: ${SECONDS} s of random calls to every route and the webhook: no 500, no secret in the log`,
  async () => {
    const deadline = performance.now() + SECONDS * 1000;
    const seen: Record<string, number> = {};
    const faults: unknown[] = [];
    const { seed = Date.now() } = fc.readConfigureGlobal();
    const caller = async (calls: Iterator<Call>) => {
      while (performance.now() < deadline && faults.length < 5) {
        const { value: next } = calls.next() as { value: Call };
        const answer = await send(next);
        if (answer === null) continue;
        seen[answer.status] = (seen[answer.status] ?? 0) + 1;
        const fault = faultOf(next, answer);
        if (fault !== null)
          faults.push({
            fault,
            ...next,
            body: next.body?.toString('utf8').slice(0, 500),
            said: answer.text.slice(0, 300),
          });
        if (answer.status === 201) knownIds.push((JSON.parse(answer.text) as { id: string }).id);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, (_, n) => caller(endless(seed + n))));
    expect({ seed, faults }).toEqual({ seed, faults: [] });
    // It got past the door, and was turned away, in many ways.
    for (const status of [200, 201, 400, 401, 403, 404])
      expect([status, seen[status] ?? 0]).not.toEqual([status, 0]);
    // A correlation id is what its caller wants to find in the log, whatever it holds; so is that of a cause.
    const logged = app.rawLog.map((line) => line.replace(/"(correlationId|causedBy)":"[^"]*"/g, ''));
    const leaks = logged.filter((line) => secrets.some((secret) => line.includes(secret)));
    expect({ seed, leaks: leaks.slice(0, 3) }).toEqual({ seed, leaks: [] });
    const failures = app.events.filter(({ event, status }) => event === 'http.failed' && status !== 503);
    expect({ seed, failures: failures.slice(0, 3) }).toEqual({ seed, failures: [] });
    expect((await fetch(`${app.url}/health/ready`)).status).toBe(200);
  },
  SECONDS * 1000 + 60_000,
);

/** Calls without an end, the same for the same seed. */
function* endless(seed: number): Generator<Call> {
  for (let n = 0; ; n++) yield* fc.sample(call, { numRuns: 50, seed: seed + n * 1000 });
}
