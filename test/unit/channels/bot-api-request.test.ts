import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TelegramError } from 'telegraf';
import { UnreadableAnswer } from '../../../src/channels/telegram/bot-api/bot-api-answers';
import { MAX_ANSWER_BYTES, requestBotApi } from '../../../src/channels/telegram/bot-api/bot-api-request';

const TOKEN = `123456789:${'AAHk'.repeat(8)}aaa`;
const CHUNK = Buffer.alloc(64 * 1024, 0x20);

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const call = (apiRoot: string, payload = {}) =>
  requestBotApi({ token: TOKEN, options: { apiRoot } } as never, 'sendMessage', payload);

it('hands out the result, whatever it is', async () => {
  const root = await serve((_request, response) => response.end('{"ok":true,"result":{"message_id":5}}'));
  expect(await call(root)).toEqual({ message_id: 5 });
});

it('reads no more of an answer than its bound, and hangs up', async () => {
  let sent = 0;
  const root = await serve((_request, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(CHUNK)) sent += CHUNK.length;
    };
    response.on('drain', more);
    more();
  });
  await expect(call(root)).rejects.toThrow(UnreadableAnswer);
  // What stands in the buffers of two sockets comes on top.
  expect(sent).toBeLessThan(8 * MAX_ANSWER_BYTES);
});

it.each([301, 307])('does not follow a redirect (%i): the token and the action stay here', async (status) => {
  const visits: unknown[] = [];
  const elsewhere = await serve((request, response) => {
    visits.push(request.url);
    response.end('{"ok":true,"result":{"message_id":5}}');
  });
  const root = await serve((request, response) => {
    response.writeHead(status, { location: `${elsewhere}${request.url ?? ''}` }).end();
  });
  await expect(call(root)).rejects.toThrow(UnreadableAnswer);
  expect(visits).toEqual([]);
});

it.each([
  { status: 200, body: '' },
  { status: 200, body: '<html>hello</html>' },
  { status: 200, body: '{"ok":true,"resu' },
  { status: 413, body: '<html>413 Request Entity Too Large</html>' },
])('takes $body under $status for no answer', async ({ status, body }) => {
  const root = await serve((_request, response) => response.writeHead(status).end(body));
  await expect(call(root)).rejects.toThrow(UnreadableAnswer);
});

it('has no token in what it throws', async () => {
  const root = await serve((request, response) => response.destroy(new Error(request.url)));
  const failure = await call(root).catch((error: unknown) => error as Error);
  expect(`${String(failure)} ${(failure as Error).stack ?? ''}`).not.toContain(TOKEN);
});

it('throws a refusal as Telegraf does', async () => {
  const refusal = { ok: false, error_code: 403, description: 'Forbidden: bot was kicked' };
  const root = await serve((_request, response) => response.writeHead(403).end(JSON.stringify(refusal)));
  await expect(call(root)).rejects.toBeInstanceOf(TelegramError);
  await expect(call(root)).rejects.toMatchObject({ code: 403, description: refusal.description });
});
