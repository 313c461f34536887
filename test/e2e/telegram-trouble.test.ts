import { Api } from '../support/api';
import { freePort, Service, startSandboxProcess } from '../support/processes';
import { SandboxClient } from '../support/sandbox-client';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { until } from '../support/until';
import { CHAT_ID } from '../support/well-known';

/** Telegram is tried again at least every 15 s, and the outbox backs off up to a minute. */
const RECOVERED_WITHIN_MS = 60_000;

interface Health {
  readonly status: string;
  readonly details: { readonly telegram: { status: string; degraded?: boolean; reason?: string } };
}

let backdrop: Backdrop;

beforeAll(async () => {
  backdrop = await setBackdrop();
});
afterAll(strike);

async function healthOf(api: Api): Promise<{ status: number; body: Health }> {
  return api.call<Health>(null, 'GET', '/health');
}

const degraded = (api: Api): Promise<string> =>
  until('health tells of the trouble', async () => {
    const { body } = await healthOf(api);
    return body.details.telegram.degraded === true && body.details.telegram.reason;
  });

/** That a recovery is watched for a while before it is believed is tested by itself. */
const whole = (api: Api): Promise<boolean> =>
  until(
    'health is whole again, or about to be',
    async () => {
      const { degraded, reason } = (await healthOf(api)).body.details.telegram;
      return degraded === undefined || reason?.startsWith('works again');
    },
    RECOVERED_WITHIN_MS,
  );

/** Requires the service to work whatever is wrong with Telegram. */
async function expectToServe(service: Service, api: Api): Promise<string> {
  const { status, body } = await api.enqueue();
  expect(status).toBe(201);
  const { status: healthStatus, body: health } = await healthOf(api);
  expect(healthStatus).toBe(200);
  expect(health.status).toBe('ok');
  expect(health.details.telegram).toMatchObject({ status: 'up', degraded: true });
  expect((await api.call(null, 'GET', '/health/ready')).status).toBe(200);
  expect(service.alive).toBe(true);
  return body.id;
}

it('Telegram out of reach at the start: serves degraded, tells once, and the card comes after the recovery', async () => {
  const port = await freePort();
  const service = await Service.start({
    ...backdrop.environment,
    TELEGRAM_API_ROOT: `http://127.0.0.1:${port}`,
  });
  const api = new Api(service.url);
  expect(await degraded(api)).toMatch(/ECONNREFUSED|not answered|reach/);
  const id = await expectToServe(service, api);
  await until('it was tried several times', () => service.eventsNamed('telegram.call').length >= 4);
  expect(service.eventsNamed('telegram.unreachable')).toHaveLength(1);

  const { url } = await startSandboxProcess(port);
  const chat = new SandboxClient(url);
  const card = await chat.card(id, 2, RECOVERED_WITHIN_MS);
  await whole(api);
  await chat.press(card.messageId, 'Approve');
  expect((await api.get(id)).body.status).toBe('approved');
  await service.stop();
});

it('Telegram out of reach later: serves degraded, tells once, keeps every card, and goes on after the recovery', async () => {
  const port = await freePort();
  const sandbox = await startSandboxProcess(port);
  const service = await Service.start({ ...backdrop.environment, TELEGRAM_API_ROOT: sandbox.url });
  const api = new Api(service.url);
  await whole(api);

  await sandbox.program.kill();
  await degraded(api);
  const ids = [await expectToServe(service, api), await expectToServe(service, api)];
  await startSandboxProcess(port);
  const chat = new SandboxClient(sandbox.url);
  for (const id of ids) {
    const card = await chat.card(id, 2, RECOVERED_WITHIN_MS);
    await chat.press(card.messageId, 'Reject');
    expect((await api.get(id)).body.status).toBe('rejected');
    expect(await chat.cardsOf(id)).toHaveLength(1);
  }
  await whole(api);
  expect(service.eventsNamed('telegram.unreachable').filter(({ level }) => level === 'error')).toHaveLength(
    1,
  );
  await service.stop();
});

describe.each([
  {
    trouble: 'a token that Telegram refuses',
    begin: () => backdrop.chat.fault({ method: '*', status: 401, count: 1_000_000 }),
    end: () => backdrop.chat.clearFaults(),
    reason: /token/,
  },
  {
    trouble: 'a chat that cannot be reached',
    begin: () => backdrop.chat.change('chats', { chat: Number(CHAT_ID), missing: true }),
    end: () => backdrop.chat.change('chats', { chat: Number(CHAT_ID), missing: false }),
    reason: /chat/,
  },
])('telegram.md 1 and 21: $trouble', ({ begin, end, reason }) => {
  afterEach(end);

  it('leaves the service serving, degraded, with one error event, and is noticed when it ends', async () => {
    await begin();
    const service = await Service.start(backdrop.environment);
    const api = new Api(service.url);
    await until('health tells of it', async () =>
      reason.test((await healthOf(api)).body.details.telegram.reason ?? ''),
    );
    await expectToServe(service, api);
    const told = () => service.eventsNamed('telegram.unreachable').filter(({ level }) => level === 'error');
    await until('the log tells of it', () => told().length > 0);

    await end();
    await whole(api);
    const { body: later } = await api.enqueue();
    const card = await backdrop.chat.card(later.id, 2, RECOVERED_WITHIN_MS);
    await backdrop.chat.press(card.messageId, 'Approve');
    expect((await api.get(later.id)).body.status).toBe('approved');
    expect(await service.stop()).toMatchObject({ code: 0 });
    expect(told()).toHaveLength(1);
    expect(service.output.join('\n')).not.toContain('test-token-for-the-local-sandbox-only');
  });
});
