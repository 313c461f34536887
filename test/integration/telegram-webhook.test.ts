import { connect } from 'node:net';
import { Client } from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Api } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { freePort } from '../support/processes';
import { SandboxClient, type ChatMessage } from '../support/sandbox-client';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { HASTE } from '../support/telegram-rig';
import { until } from '../support/until';
import { BOT_TOKEN, CHAT_ID, OPERATOR_ID, telegramEnvironment } from '../support/well-known';
import { startSandbox, type RunningSandbox } from '../../src/sandbox/sandbox-server';

const SECRET = 'a-secret-of-the-webhook_0123456789';
const HUGE_BYTES = 10 * 1024 * 1024;
const PATH = '/telegram/webhook';

let database: TestDatabase;
let wire: TcpProxy;
let sandbox: RunningSandbox;
let chat: SandboxClient;
let app: TestApp;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  wire = await startTcpProxy(database.url);
  sandbox = await startSandbox({
    port: 0,
    limits: { perSecond: 1e6, chatPerSecond: 1e6, chatBurst: 1e6, groupPerMinute: 1e6, webhookRetryMs: 50 },
  });
  chat = new SandboxClient(sandbox.url);
  const port = String(await freePort());
  app = await startTestApp(wire.url, {
    ...telegramEnvironment(sandbox.url),
    ...HASTE,
    PORT: port,
    TELEGRAM_MODE: 'webhook',
    TELEGRAM_WEBHOOK_URL: `http://127.0.0.1:${port}${PATH}`,
    TELEGRAM_WEBHOOK_SECRET: SECRET,
  });
  api = new Api(app.url);
  await until('the webhook is set', async () => (await chat.calls('setWebhook')).length > 0);
});
afterAll(async () => {
  await app.close();
  await sandbox.close();
  await wire.close();
  await database.drop();
});

const statusOf = async (id: string): Promise<string> => (await api.get(id)).body.status;

async function shown(): Promise<{ id: string; card: ChatMessage }> {
  const { body } = await api.enqueue();
  const card = await chat.card(body.id);
  await until(
    'the service knows where',
    async () =>
      (
        await database.query('select 1 from cards where approval_id = $1 and message_id is not null', [
          body.id,
        ])
      ).length > 0,
  );
  return { id: body.id, card };
}

/** A tap as Telegram delivers it. */
let updateId = 800_000_000;
const tapOn = (card: ChatMessage, button: string) => ({
  update_id: updateId++,
  callback_query: {
    id: String(updateId),
    from: { id: OPERATOR_ID, is_bot: false, first_name: 'Olivia' },
    message: {
      message_id: card.messageId,
      chat: { id: Number(CHAT_ID), type: 'supergroup' },
      date: 0,
      text: '',
    },
    chat_instance: '1',
    data: card.buttons.flat().find(({ text }) => text.includes(button))?.data ?? '',
  },
});

function deliver(body: unknown, secret: string | null = SECRET): Promise<Response> {
  return fetch(`${app.url}${PATH}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(secret === null ? {} : { 'x-telegram-bot-api-secret-token': secret }),
    },
    body: JSON.stringify(body),
  });
}

it('telegram.md 10: is set with the secret and the updates we want, and drops none that wait', async () => {
  const [call] = await chat.calls('setWebhook');
  expect(call?.params).toMatchObject({
    secret_token: SECRET,
    allowed_updates: ['message', 'callback_query', 'my_chat_member'],
    drop_pending_updates: false,
  });
  expect(await chat.calls('getUpdates')).toEqual([]);
});

it('a tap decides and is written on the card', async () => {
  const { id, card } = await shown();
  expect(await chat.press(card.messageId, 'Approve')).toMatchObject({ showAlert: false });
  expect(await statusOf(id)).toBe('approved');
  await chat.card(id, 0);
});

it.each([
  { what: 'no secret', secret: null },
  { what: 'a wrong secret', secret: SECRET.replace('a', 'b') },
  { what: 'the beginning of the secret', secret: SECRET.slice(0, -1) },
  { what: 'an empty secret', secret: '' },
])('security 4: a tap with $what is 401 and decides nothing', async ({ secret }) => {
  const { id, card } = await shown();
  const response = await deliver(tapOn(card, 'Approve'), secret);
  expect(response.status).toBe(401);
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  expect(await statusOf(id)).toBe('pending');
});

it('security 4: a wrong secret with a 10 MB body is refused before the body is read', async () => {
  const { hostname, port } = new URL(app.url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (data) => (answer += data.toString('latin1')));
  const head =
    `POST ${PATH} HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\n` +
    `x-telegram-bot-api-secret-token: wrong\r\ncontent-length: ${HUGE_BYTES}\r\n\r\n{`;
  socket.write(head);
  // Answered with one byte of the body sent: nobody waits for the rest.
  await until('it is refused', () => answer.includes('\r\n\r\n'));
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  socket.destroy();
});

it('security 5: the same update any number of times, and in any order, counts once', async () => {
  const { id, card } = await shown();
  const first = tapOn(card, 'Reject');
  const second = tapOn(card, 'Approve');
  expect((await deliver(first)).status).toBe(200);
  const answers = await Promise.all([deliver(second), deliver(first), deliver(second), deliver(first)]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(await statusOf(id)).toBe('rejected');
  const rows = await database.query(
    `select type from audit_log where approval_id = $1 and type <> 'approval.enqueued' and type not like '%-refused'`,
    [id],
  );
  expect(rows).toEqual([{ type: 'approval.rejected' }]);
});

it('what is no update is 400, and an update of a kind we do not know is taken and ignored', async () => {
  expect((await deliver({ hello: 1 })).status).toBe(400);
  expect((await deliver([])).status).toBe(400);
  expect((await deliver({ update_id: updateId++, something_new: {} })).status).toBe(200);
});

it.each([{ message: 7 }, { callback_query: { id: 9 } }, { message: { message_id: 1, chat: null } }])(
  'an update with %j is taken and skipped, or Telegram would deliver it for ever',
  async (more) => {
    const update = { update_id: updateId++, ...more };
    expect((await deliver(update)).status).toBe(200);
    const logged = app.events.filter(({ event }) => event === 'telegram.update-unreadable');
    expect(logged.at(-1)).toMatchObject({ updateId: update.update_id });
  },
);

it('a tap on a locked approval is answered, and holds up no tap of the same person on another card', async () => {
  const locked = await shown();
  const other = await shown();
  const bystander = new Client({ connectionString: database.url });
  await bystander.connect();
  await bystander.query('begin');
  await bystander.query('select 1 from approvals where id = $1 for update', [locked.id]);
  const slow = chat.press(locked.card.messageId, 'Approve');
  await until('it waits for the row', async () => {
    const waiting = await database.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return waiting.length > 0;
  });
  expect(await chat.press(other.card.messageId, 'Approve')).toMatchObject({ showAlert: false });
  expect((await slow)?.text).toMatch(/still working/i);
  await bystander.end();
  await chat.card(locked.id, 0);
  expect([await statusOf(locked.id), await statusOf(other.id)]).toEqual(['approved', 'approved']);
});

it('while the database is away it is refused, and Telegram delivers it again until it counts', async () => {
  const { id, card } = await shown();
  wire.cut();
  expect((await deliver(tapOn(card, 'Approve'))).status).toBe(503);
  const pressed = chat.press(card.messageId, 'Approve');
  await until('Telegram was refused too', async () => {
    const response = await fetch(`${sandbox.url}/bot${BOT_TOKEN}/getWebhookInfo`);
    const { result } = (await response.json()) as { result: { last_error_message?: string } };
    return result.last_error_message?.includes('503');
  });
  wire.mend();
  expect(await pressed).toMatchObject({ showAlert: false });
  await chat.card(id, 0);
  expect(await statusOf(id)).toBe('approved');
});
