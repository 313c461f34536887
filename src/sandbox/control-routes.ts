import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { faultSchema } from './faults';
import type { BotApiParts } from './bot-api-routes';
import { formatText } from './formatted-text';
import { toControl } from './message-view';
import { ControlError, parseBody, parseQuery } from './control-input';
import { press } from './press';
import type { MutableSettings } from './settings';
import { ANONYMOUS } from './world';

/** Ids may come as digits in a string: shells and forms write them so. */
const chatId = z.coerce.number().int();
const messageId = chatId;
const userId = z.coerce.number().int().positive();

const pressSchema = z.strictObject({
  chat: chatId,
  messageId,
  button: z.string().min(1),
  user: userId.default(1),
  senderChat: chatId.optional(),
});

const saySchema = z.strictObject({
  chat: chatId,
  text: z.string().min(1).optional(),
  /** Fields of another kind of message, such as `{"voice": {…}}` or `{"photo": […], "caption": "…"}`. */
  content: z.record(z.string(), z.unknown()).optional(),
  user: userId.default(1),
  replyTo: messageId.optional(),
  threadId: z.int().positive().optional(),
  senderChat: chatId.optional(),
});

const chatSchema = z.strictObject({
  chat: chatId,
  migrateTo: chatId.optional(),
  blocked: z.boolean().optional(),
  missing: z.boolean().optional(),
  deleted: z.boolean().optional(),
  forum: z.boolean().optional(),
  documents: z.boolean().optional(),
  deleteTopic: z.int().positive().optional(),
  closeTopic: z.int().positive().optional(),
  reopenTopic: z.int().positive().optional(),
});

const updatesSchema = z.strictObject({
  bot: z.int().optional(),
  inject: z.array(z.looseObject({ update_id: z.int() })).optional(),
  duplicateLast: z.boolean().optional(),
  reverse: z.boolean().optional(),
  restartAt: z.int().positive().optional(),
});

const limit = z.number().positive();
const settingsSchema = z.strictObject({
  perSecond: limit.optional(),
  chatPerSecond: limit.optional(),
  chatBurst: limit.optional(),
  groupPerMinute: limit.optional(),
  callbackAnswerMs: limit.optional(),
  webhookRetryMs: limit.optional(),
  webhookRetryMaxMs: limit.optional(),
  knowsTimes: z.boolean().optional(),
  knowsFolds: z.boolean().optional(),
  knowsButtonStyles: z.boolean().optional(),
});

/**
 * Control API of the sandbox, for tests and the chat page. `interface.md`, section Sandbox, fixes the basic calls;
 * these are additions:
 *
 * - `GET /sandbox/messages` without `chat` lists every chat's messages; also shown: `from`, `editDate`, `replyTo`,
 *   `threadId`, `senderChat`, `service`, a button's `style` and `url`
 * - `senderChat` in press and say: on behalf of a chat (a channel, or the group itself = anonymous administrator;
 *   `from` is then Telegram's GroupAnonymousBot)
 * - `content` in say: the fields of a message that is not a text (voice, photo with caption, sticker)
 * - `POST /sandbox/chats {chat, migrateTo?, blocked?, missing?, deleted?, documents?, forum?, deleteTopic?,
 *   closeTopic?, reopenTopic?}`: `deleted` answers 403 "the group chat was deleted", `documents: false` refuses files,
 *   `forum` gives a supergroup topics, of which 1 is General, the chat itself
 * - `POST /sandbox/updates {bot?, inject?: [Update], duplicateLast?, reverse?, restartAt?: update_id}`
 * - `GET|POST /sandbox/limits` rate limits and timings (`settings.ts`)
 * - `GET /sandbox/faults`; in faults `containing`, `probability`, `description`, `body: "stall"|"drip"` (`faults.ts`)
 * - `GET /sandbox/documents/:fileId` the bytes of an uploaded file, `GET /sandbox/photos/:fileId` a picture for the page
 * - a message's `photo`: `{width, height}` if its document was sent as a picture
 * - `GET /sandbox/directory` chats, people, bots and their commands
 * - `DELETE /sandbox/calls`, `DELETE /sandbox/state` (reset to the initial state)
 *
 * Errors are `{error: "…"}` with a 4xx status.
 */
export function controlRoutes(app: FastifyInstance, parts: BotApiParts, settings: MutableSettings): void {
  const { world, calls, faults, callbacks } = parts;

  app.get('/sandbox/messages', (request) => {
    const { chat } = parseQuery(z.object({ chat: chatId.optional() }), request);
    const chats = chat === undefined ? [...world.chats.values()] : [world.chat(chat)];
    return { messages: chats.flatMap((c) => [...c.messages.values()].map(toControl)) };
  });

  app.post('/sandbox/press', async (request) => ({
    answer: await press(world, callbacks, parseBody(pressSchema, request)),
  }));

  app.post('/sandbox/say', (request) => {
    const said = parseBody(saySchema, request);
    if (said.text === undefined && said.content === undefined)
      throw new ControlError(400, 'text: required, or content in its place');
    const chat = world.chat(said.chat);
    if (said.replyTo !== undefined && !chat.messages.has(said.replyTo)) {
      throw new ControlError(404, `no message ${said.replyTo} in chat ${said.chat}`);
    }
    const message = world.post(chat, {
      from: said.senderChat === undefined ? world.user(said.user) : ANONYMOUS,
      senderChatId: said.senderChat ?? null,
      content: formatText(said.text ?? '', undefined),
      service: said.content ?? null,
      replyTo: said.replyTo ?? null,
      threadId: said.threadId ?? null,
    });
    world.announceMessage(message);
    return { messageId: message.messageId };
  });

  app.get('/sandbox/faults', () => ({ faults: faults.list() }));
  app.post('/sandbox/faults', (request) => {
    faults.add(parseBody(faultSchema, request));
    return { faults: faults.list() };
  });
  app.delete('/sandbox/faults', () => {
    faults.clear();
    return { faults: [] };
  });

  app.get('/sandbox/calls', (request) => {
    const { method } = parseQuery(z.object({ method: z.string().optional() }), request);
    return { calls: calls.list(method) };
  });
  app.delete('/sandbox/calls', () => {
    calls.clear();
    return { calls: [] };
  });

  app.post('/sandbox/chats', (request) => {
    const change = parseBody(chatSchema, request);
    const chat = world.chat(change.chat);
    if (change.missing !== undefined) chat.missing = change.missing;
    if (change.blocked !== undefined) world.setBlocked(chat, change.blocked);
    if (change.deleted !== undefined) chat.deleted = change.deleted;
    if (change.documents !== undefined) chat.documents = change.documents;
    if (change.forum !== undefined) {
      if (chat.type !== 'supergroup')
        throw new ControlError(409, `only supergroups have topics, not a ${chat.type}`);
      chat.forum = change.forum;
    }
    if (change.deleteTopic !== undefined) chat.deletedTopics.add(change.deleteTopic);
    if (change.closeTopic !== undefined) chat.closedTopics.add(change.closeTopic);
    if (change.reopenTopic !== undefined) chat.closedTopics.delete(change.reopenTopic);
    if (change.migrateTo !== undefined) world.migrate(chat, world.chat(change.migrateTo));
    return { chat: chat.id, migratedTo: chat.migratedTo, blocked: chat.blocked, missing: chat.missing };
  });

  app.post('/sandbox/updates', (request) => {
    const wanted = parseBody(updatesSchema, request);
    const bots = [...world.bots.values()].filter((b) => wanted.bot === undefined || b.id === wanted.bot);
    if (bots.length === 0) throw new ControlError(404, 'no such bot has called yet');
    for (const { queue } of bots) {
      for (const update of wanted.inject ?? []) queue.inject(update);
      if (wanted.duplicateLast) queue.duplicateLast();
      if (wanted.reverse) queue.reverse();
      if (wanted.restartAt !== undefined) queue.restartAt(wanted.restartAt);
    }
    return { waiting: bots.map((b) => ({ bot: b.id, updates: b.queue.size })) };
  });

  app.get('/sandbox/limits', () => settings);
  app.post('/sandbox/limits', (request) => Object.assign(settings, parseBody(settingsSchema, request)));

  app.get<{ Params: { fileId: string } }>('/sandbox/documents/:fileId', (request, reply) => {
    const document = world.documents.get(request.params.fileId);
    if (!document) throw new ControlError(404, 'no such document');
    return reply
      .type('application/octet-stream')
      .header('x-content-type-options', 'nosniff')
      .header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(document.fileName)}`)
      .send(document.bytes);
  });

  app.get<{ Params: { fileId: string } }>('/sandbox/photos/:fileId', (request, reply) => {
    const document = world.documents.get(request.params.fileId);
    if (!document) throw new ControlError(404, 'no such picture');
    const isPng = document.bytes[0] === 0x89;
    return reply
      .type(isPng ? 'image/png' : 'image/jpeg')
      .header('x-content-type-options', 'nosniff')
      .header('content-security-policy', "default-src 'none'; sandbox")
      .send(document.bytes);
  });

  app.delete('/sandbox/state', () => {
    world.reset();
    faults.clear();
    calls.clear();
    callbacks.abandon();
    return { ok: true };
  });
}
