import { BotApiError, badRequest, forbidden } from '../bot-api-error';
import { GENERAL_TOPIC, type ChatState } from '../chats';
import type { StoredMessage } from '../telegram-types';
import type { Call } from './call';

/**
 * The chat a call names, for reading.
 *
 * @throws {BotApiError} 400 "chat not found", 403 if the bot is not a member or is blocked
 */
export function readableChat(call: Call): ChatState {
  return chatOf(call, call.params.string('chat_id') ?? '');
}

/** As {@link readableChat}, for an id in another place. */
export function chatOf({ world }: Call, given: string): ChatState {
  const id = given.trim();
  if (id === '') throw badRequest('chat_id is empty');
  const numeric = /^-?[0-9]{1,16}$/.test(id) ? Number(id) : 0;
  if (numeric === 0) throw badRequest('chat not found');
  const chat = world.chat(numeric);
  if (chat.missing) throw badRequest('chat not found');
  if (chat.blocked) {
    throw forbidden(
      chat.type === 'private' ? 'bot was blocked by the user' : `bot was kicked from the ${chat.type} chat`,
    );
  }
  return chat;
}

/**
 * The chat a call names, for writing.
 *
 * @throws {BotApiError} also 400 with `migrate_to_chat_id` if the group became a supergroup, 403 if it was deleted
 */
export function writableChat(call: Call): ChatState {
  const chat = readableChat(call);
  if (chat.deleted) throw forbidden('the group chat was deleted');
  if (chat.migratedTo !== null) {
    throw new BotApiError(400, 'Bad Request: group chat was upgraded to a supergroup chat', {
      migrate_to_chat_id: chat.migratedTo,
    });
  }
  return chat;
}

/**
 * The topic of a new message, or null. Any topic of a forum exists until it is deleted. A reply without a topic goes
 * to the topic of the message it replies to.
 *
 * @throws {BotApiError} 400 "message thread not found", 400 TOPIC_CLOSED
 */
export function writableTopic(
  { params }: Call,
  chat: ChatState,
  replyTo: number | null = null,
): number | null {
  const given = params.integer('message_thread_id');
  const named = given === undefined || given === 0 ? null : given;
  if (chat.type === 'private') return null;
  if (
    named !== null &&
    (!chat.forum || named < 0 || named === GENERAL_TOPIC || chat.deletedTopics.has(named))
  )
    throw badRequest('message thread not found');
  const topic = named ?? (replyTo === null ? null : (chat.messages.get(replyTo)?.threadId ?? null));
  if (chat.closedTopics.has(topic ?? GENERAL_TOPIC)) throw badRequest('TOPIC_CLOSED');
  return topic;
}

/** Counts a message or an edit against the bot's limits. */
export function countAgainstLimits({ bot, world }: Call, chat: ChatState): void {
  bot.limit.admit(chat.id, world.clock.monotonicMs());
}

/**
 * The bot's own message that a call wants to change.
 *
 * @throws {BotApiError} 400 if there is none, or another sender wrote it
 */
export function editableMessage({ bot, params }: Call, chat: ChatState): StoredMessage {
  const id = params.integer('message_id');
  if (id === undefined || id <= 0) throw badRequest('message identifier is not specified');
  const message = chat.messages.get(id);
  if (!message) throw badRequest('message to edit not found');
  if (message.from.id !== bot.id || message.service) throw badRequest("message can't be edited");
  return message;
}
