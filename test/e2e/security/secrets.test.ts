import { until } from '../../support/until';
import { request } from 'node:http';
import { startOtlpReceiver, type OtlpReceiver } from '../../support/otlp-receiver';
import { TelegramRig } from '../../support/telegram-rig';
import { AGENT_KEY, BOT_TOKEN, OPERATOR_KEY } from '../../support/well-known';

const BOT_SECRET = BOT_TOKEN.split(':')[1] ?? '';
/** Shaped like nothing that a pattern would know: what keeps it in is that nobody writes it down. */
const canary = (where: string) => `canary ${where} ${'plover xyzzy '.repeat(3)}`.trim();

let receiver: OtlpReceiver;
let rig: TelegramRig;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
  rig = await TelegramRig.start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, LOG_LEVEL: 'trace' });
});
afterAll(async () => {
  await rig.close();
  await receiver.close();
});

const DIAGNOSTICS = ['metrics', 'circuit-breaker', 'database', 'telegram', 'outbox'];

/** Everything that leaves the service for those who are not asked: by the place where it is read. */
async function everythingSaid(): Promise<Record<string, string>> {
  const said: Record<string, string> = {
    logs: rig.app.rawLog.join('\n'),
    traces: receiver.bodies.join('\n'),
    metrics: await (await fetch(`${rig.app.url}/metrics`)).text(),
    health: await (await fetch(`${rig.app.url}/health`)).text(),
  };
  for (const name of DIAGNOSTICS) {
    const answer = await rig.api.call('operator', 'GET', `/api/diagnostics/${name}`);
    expect(answer.status).toBe(200);
    said[name] = JSON.stringify(answer.body);
  }
  return said;
}

async function expectNowhere(secrets: readonly string[]): Promise<void> {
  const hits = Object.entries(await everythingSaid()).flatMap(([place, text]) =>
    secrets.filter((secret) => text.includes(secret)).map((secret) => ({ place, secret })),
  );
  expect(hits).toEqual([]);
}

it('security 18: secrets never leave: what an action, its context and its reasons hold is in no log, trace, metric or diagnostic', async () => {
  const { approval, card } = await rig.shown({
    toolInput: { command: canary('input'), nested: [{ [canary('member')]: 1 }] },
    summary: canary('summary'),
    metadata: { note: canary('metadata') },
    cwd: `/${canary('directory')}`,
  });
  expect(card.text).toContain(canary('input'));
  await rig.api.call('operator', 'POST', `/api/approvals/${approval.id}/decision`, {
    decision: 'rejected',
    reason: canary('reason'),
  });
  await rig.closed(card);
  const { approval: other, card: otherCard } = await rig.shown();
  await rig.api.call('agent', 'POST', `/api/approvals/${other.id}/cancel`, { reason: canary('taking back') });
  await rig.closed(otherCard);
  await until('its trace is told', () => receiver.bodies.some((body) => body.includes(approval.id)));
  await expectNowhere(
    ['input', 'member', 'summary', 'metadata', 'directory', 'reason', 'taking back'].map(canary),
  );
});

/** Content of the body, the address or a header of a call, as sent. */
interface BadCall {
  readonly method?: string;
  readonly path: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function answerTo({ method = 'POST', path, key = AGENT_KEY, headers = {}, body = '' }: BadCall) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const call = request(`${rig.app.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    });
    call.on('error', reject).on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.end(body);
  });
}

const FAULTY = 'gh0-pasted-by-mistake-0123456789';

it.each<readonly [string, BadCall]>([
  ['in a body that is no JSON', { path: '/api/approvals', body: `{"toolInput":"${FAULTY}` }],
  [
    'in a body that is text',
    { path: '/api/approvals', body: FAULTY, headers: { 'content-type': 'text/plain' } },
  ],
  ['as a value of the wrong kind', { path: '/api/approvals', body: `{"agentId":["${FAULTY}"]}` }],
  ['as a status', { method: 'GET', path: `/api/approvals?status=${FAULTY}` }],
  ['as an id', { method: 'GET', path: `/api/approvals/${FAULTY}` }],
  ['as a key', { path: '/api/approvals', key: FAULTY }],
  ['as another scheme', { path: '/api/approvals', headers: { authorization: `Basic ${FAULTY}` } }],
  ['as a cookie', { method: 'GET', path: '/api/nowhere', headers: { cookie: `session=${FAULTY}` } }],
  ['in a hook call', { path: '/connectors/claude-code/hook', body: `{"tool_input":"${FAULTY}"}` }],
  ['in an MCP call', { path: '/connectors/mcp', body: `{"jsonrpc":"2.0","method":"${FAULTY}"}` }],
])('security 18: secrets never leave: one %s is in no answer and no log', async (_where, call) => {
  const { text } = await answerTo(call);
  expect(text).not.toContain(FAULTY);
  expect(rig.app.rawLog.join('\n')).not.toContain(FAULTY);
});

describe('security 18: secrets never leave: the bot token, when Telegram', () => {
  it.each([
    { status: 400 },
    { status: 401 },
    { status: 403 },
    { status: 404 },
    { status: 409 },
    { status: 429, retryAfter: 1 },
    { status: 500 },
    { status: 502, body: 'html' },
    { status: 400, description: `Bad Request: ${BOT_TOKEN}` },
    { status: 500, description: `https://api.telegram.org/bot${BOT_TOKEN}/sendMessage` },
    { reset: 'before' },
    { reset: 'after' },
    { body: 'truncated' },
    { body: 'empty' },
  ])('answers with %j', async (fault) => {
    await rig.wipe();
    const before = (await rig.chat.calls('sendMessage')).length;
    for (const method of ['sendMessage', 'getUpdates']) await rig.chat.fault({ method, count: 2, ...fault });
    await rig.asked();
    await until('it met the fault', async () => (await rig.chat.calls('sendMessage')).length > before);
    await until('and said so', () => rig.events('telegram.call').some(({ level }) => level !== 'info'));
    await rig.chat.clearFaults();
    await expectNowhere([BOT_SECRET, AGENT_KEY, OPERATOR_KEY]);
  });
});
