import { startSandbox, type RunningSandbox } from '../../src/sandbox/sandbox-server';
import { Api } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { SandboxClient } from '../support/sandbox-client';
import { until } from '../support/until';
import { telegramEnvironment } from '../support/well-known';

interface OutboxJson {
  readonly pending: number;
  readonly nextExpiry: string | null;
  readonly unsent: number;
  readonly dead: readonly {
    readonly id: string;
    readonly kind: string;
    readonly approvalId: string;
    readonly error: string;
  }[];
}

let database: TestDatabase;
let sandbox: RunningSandbox;
let app: TestApp;
let api: Api;
let chat: SandboxClient;

beforeAll(async () => {
  database = await createTestDatabase();
  sandbox = await startSandbox({ port: 0 });
  app = await startTestApp(database.url, telegramEnvironment(sandbox.url));
  api = new Api(app.url);
  chat = new SandboxClient(sandbox.url);
});

afterAll(async () => {
  await app.close();
  await sandbox.close();
  await database.drop();
});

const outbox = async (): Promise<OutboxJson> =>
  (await api.call<OutboxJson>('operator', 'GET', '/api/diagnostics/outbox')).body;

describe('what Telegram will never take', () => {
  it('is kept as a dead letter with its reason, and reaches the chat when it is replayed', async () => {
    await chat.fault({
      method: 'sendMessage',
      count: 1,
      status: 400,
      description: 'Bad Request: message is too long',
    });
    const { id } = (await api.enqueue()).body;
    const [letter] = await until('the dead letter', async () => {
      const { dead } = await outbox();
      return dead.length > 0 && dead;
    });
    expect(letter).toMatchObject({ kind: 'card', approvalId: id });
    expect(letter?.error).toContain('message is too long');
    expect(await chat.cardsOf(id)).toEqual([]);

    const replayed = await api.call('operator', 'POST', '/api/diagnostics/outbox/replay', { id: letter?.id });
    expect(replayed).toMatchObject({ status: 200, body: { replayed: 1 } });
    await chat.card(id);
    expect(await outbox()).toMatchObject({ pending: 1, unsent: 0, dead: [] });
  });

  it('is replayed by operators only, and an unknown id replays nothing', async () => {
    const path = '/api/diagnostics/outbox/replay';
    expect((await api.call('agent', 'POST', path, {})).status).toBe(403);
    expect((await api.call(null, 'POST', path, {})).status).toBe(401);
    expect(await api.call('operator', 'POST', path, { id: '999999999' })).toMatchObject({
      body: { replayed: 0 },
    });
    expect((await api.call('operator', 'POST', path, { id: 'x' })).status).toBe(400);
  });
});

it('the diagnostics of Telegram tell what is left of the send budget', async () => {
  const { body } = await api.call<{
    budgetLeft: { perSecond: number; chat: number; groupPerMinute: number };
  }>('operator', 'GET', '/api/diagnostics/telegram');
  const sent = (await chat.calls('sendMessage')).length;
  expect(sent).toBeGreaterThan(0);
  expect(body.budgetLeft.groupPerMinute).toBe(20 - sent);
  expect(body.budgetLeft.perSecond).toBeGreaterThan(0);
});
