import type { FastifyInstance } from 'fastify';
import { readFile } from 'node:fs/promises';
import { toControl } from './message-view';
import type { World } from './world';

const HEARTBEAT_MS = 15_000;

const PAGE_FILES = [
  'index.html',
  'style.css',
  'app.js',
  'composer.js',
  'dom.js',
  'message-view.js',
  'overlays.js',
  'people.js',
  'rich-text.js',
  'store.js',
];

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

/** Allows nothing from another origin and nothing inline, so no script in a message can run. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The chat page, and the stream that keeps it up to date. */
export function pageRoutes(app: FastifyInstance, world: World, closing: AbortSignal): void {
  for (const name of PAGE_FILES) {
    const type = TYPES[name.split('.')[1] ?? ''] ?? 'application/octet-stream';
    app.get(name === 'index.html' ? '/' : `/${name}`, async (_request, reply) =>
      reply
        .type(type)
        .header('content-security-policy', CONTENT_SECURITY_POLICY)
        .header('x-content-type-options', 'nosniff')
        .header('cache-control', 'no-cache')
        .send(await readFile(require.resolve(`#sandbox-page/${name}`))),
    );
  }

  app.get('/sandbox/directory', () => directory(world));

  // Events: `directory` (chats, people, bots), `message` (new or changed), `deleted`, `reset`.
  app.get('/sandbox/stream', (_request, reply) => {
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const send = (event: string, data: unknown): void => {
      raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    };
    const onDirectory = (): void => send('directory', directory(world));
    const onMessage = (message: Parameters<typeof toControl>[0]): void => send('message', toControl(message));
    const onDeleted = (deleted: unknown): void => send('deleted', deleted);
    const onReset = (): void => send('reset', {});
    world.on('directory', onDirectory).on('message', onMessage).on('deleted', onDeleted).on('reset', onReset);
    const heartbeat = setInterval(() => raw.write(': alive\n\n'), HEARTBEAT_MS);
    const end = (): void => {
      clearInterval(heartbeat);
      world
        .off('directory', onDirectory)
        .off('message', onMessage)
        .off('deleted', onDeleted)
        .off('reset', onReset);
      closing.removeEventListener('abort', end);
      raw.end();
    };
    raw.once('close', end);
    closing.addEventListener('abort', end);
    onDirectory();
  });
}

function directory(world: World): unknown {
  return {
    chats: [...world.chats.values()].map((chat) => ({
      id: chat.id,
      type: chat.type,
      title: chat.title,
      blocked: chat.blocked,
      migratedTo: chat.migratedTo,
    })),
    users: [...world.users.values()],
    bots: [...world.bots.values()].map((bot) => ({ ...bot.user, commands: bot.commands })),
  };
}
