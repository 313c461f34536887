import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GROUP, TOKEN, eachTestItsSandbox, type Update } from '../support/sandbox-driver';

const SECRET = 'a-Secret_1';

interface Delivery {
  readonly secret: string | undefined;
  readonly update: Update;
  readonly atMs: number;
}

/** A webhook that answers as it is told, and remembers what came. */
class Receiver {
  readonly deliveries: Delivery[] = [];
  answers: { status: number; body: string }[] = [];
  private readonly waiting: (() => void)[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on('request', (request, response) => {
      let text = '';
      request.on('data', (chunk) => (text += String(chunk)));
      request.on('end', () => {
        const secret = request.headers['x-telegram-bot-api-secret-token'];
        receiver.deliveries.push({
          secret: typeof secret === 'string' ? secret : undefined,
          update: JSON.parse(text) as Update,
          atMs: performance.now(),
        });
        const { status, body } = receiver.answers.shift() ?? { status: 200, body: '' };
        response.writeHead(status, { 'content-type': 'application/json' }).end(body);
        for (const wake of receiver.waiting.splice(0)) wake();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/hook`;
  }

  async received(count: number): Promise<Delivery[]> {
    while (this.deliveries.length < count) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.deliveries;
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

const sandbox = eachTestItsSandbox();
let receiver: Receiver;
beforeEach(async () => {
  receiver = await Receiver.start();
});
afterEach(() => receiver.close());

const setWebhook = (more: object = {}): Promise<unknown> =>
  sandbox().call('setWebhook', { url: receiver.url, secret_token: SECRET, ...more });

it('delivers with the secret, and a tap is answered through the webhook answer', async () => {
  await setWebhook();
  const card = await sandbox().sendCard();
  const pressed = sandbox().press(card.message_id, 'Approve');
  const [delivery] = await receiver.received(1);
  expect(delivery).toMatchObject({ secret: SECRET, update: { callback_query: { data: 'v1.a.nonce' } } });
  await sandbox()
    .client()
    .answerCbQuery(delivery?.update.callback_query?.id ?? '', 'done');
  expect(await pressed).toEqual({ answer: { text: 'done', showAlert: false } });
});

it('executes a method named in the answer body', async () => {
  receiver.answers = [
    { status: 200, body: JSON.stringify({ method: 'sendMessage', chat_id: GROUP, text: 'from the body' }) },
  ];
  await setWebhook();
  await sandbox().say('hello');
  let texts: string[] = [];
  while (texts.length < 2) texts = (await sandbox().messages()).map((m) => m.text);
  expect(texts).toEqual(['hello', 'from the body']);
});

it('tries again after growing waits, in order, and says what was wrong', async () => {
  await sandbox().post('limits', { webhookRetryMs: 40 });
  receiver.answers = [500, 502, 503].map((status) => ({ status, body: '' }));
  await setWebhook();
  await sandbox().say('one');
  await sandbox().say('two');
  const deliveries = await receiver.received(5);
  expect(deliveries.map((d) => d.update.message?.text)).toEqual(['one', 'one', 'one', 'one', 'two']);
  const waits = deliveries.slice(1, 4).map((d, i) => d.atMs - (deliveries[i]?.atMs ?? 0));
  [40, 80, 160].forEach((least, i) => expect(waits[i]).toBeGreaterThanOrEqual(least - 2));
  expect(await sandbox().call('getWebhookInfo')).toMatchObject({
    url: receiver.url,
    last_error_message: 'Wrong response from the webhook: 503 Service Unavailable',
  });
});

it('one chat that fails does not hold up another', async () => {
  receiver.answers = [{ status: 500, body: '' }];
  await setWebhook();
  await sandbox().say('stuck');
  await receiver.received(1);
  await sandbox().say('free', { chat: 5 });
  const deliveries = await receiver.received(2);
  expect(deliveries.map((d) => d.update.message?.text)).toEqual(['stuck', 'free']);
});

it('excludes getUpdates while it is set, and gives the waiting updates back when it goes', async () => {
  const older = sandbox().refused('getUpdates', { timeout: 10 });
  while ((await sandbox().calls('getUpdates')).length === 0);
  receiver.answers = [{ status: 500, body: '' }];
  await setWebhook();
  expect(await older).toEqual({ code: 409, description: 'Conflict: terminated by setWebhook request' });
  expect(await sandbox().refused('getUpdates')).toEqual({
    code: 409,
    description:
      "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
  });
  await sandbox().say('kept');
  await receiver.received(1);
  await sandbox().call('deleteWebhook');
  expect(await sandbox().updates()).toMatchObject([{ message: { text: 'kept' } }]);
});

it('says in words what it did', async () => {
  const post = async (method: string, body: object) => {
    const response = await fetch(`${sandbox().url}/bot${TOKEN}/${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return ((await response.json()) as { description: string }).description;
  };
  expect(await post('setWebhook', { url: receiver.url })).toBe('Webhook was set');
  expect(await post('setWebhook', { url: receiver.url })).toBe('Webhook is already set');
  expect(await post('deleteWebhook', {})).toBe('Webhook was deleted');
  expect(await post('deleteWebhook', {})).toBe('Webhook is already deleted');
});

it.each([
  [{ url: 'ftp://example.org' }, 'bad webhook: An HTTPS URL must be provided for webhook'],
  [{ secret_token: 'no spaces' }, 'secret token contains unallowed characters'],
  [{ secret_token: 'x'.repeat(257) }, 'secret token is too long'],
])('refuses %j', async (params, words) => {
  expect(await sandbox().badRequest('setWebhook', { url: receiver.url, ...params })).toBe(words);
});
