import { BotApiError, badRequest } from '../bot-api-error';
import type { ChatState } from '../chats';
import { readInlineKeyboard } from '../inline-keyboard';
import { toTelegram } from '../message-view';
import { isRecord, Params } from '../params';
import { LARGEST_UPLOAD_BYTES } from '../request-body';
import type { PhotoSize, StoredDocument } from '../telegram-types';
import { LARGEST_PHOTO_BYTES, photoSize } from '../photo-size';
import { countAgainstLimits, writableChat, writableTopic } from './access';
import { succeeded, type Call, type Method, type Success } from './call';
import { readCaption, readText } from './text-parameter';

export const sendMessage: Method = (call) => {
  const content = readText(call);
  return post(call, { content, document: null });
};

export const sendDocument: Method = (call) => {
  const caption = readCaption(call);
  const document = readFile(call, 'document');
  return post(call, { content: caption, document });
};

/** Unlike Telegram, the sandbox keeps the picture as it is, and takes PNG and JPEG only. */
export const sendPhoto: Method = (call) => {
  const caption = readCaption(call);
  const document = readFile(call, 'photo');
  if (document.bytes.length > LARGEST_PHOTO_BYTES)
    throw badRequest(`file of size ${document.bytes.length} bytes is too big for a photo`);
  return post(call, { content: caption, document, photo: photoSize(document.bytes) });
};

function post(
  call: Call,
  what: {
    content: ReturnType<typeof readText>;
    document: StoredDocument | null;
    photo?: PhotoSize | null;
  },
): Success {
  const { world, bot } = call;
  const keyboard = readInlineKeyboard(call);
  const chat = writableChat(call);
  if (what.document && !chat.documents) {
    throw badRequest(`not enough rights to send ${what.photo ? 'photos' : 'documents'} to the chat`);
  }
  const replyTo = repliedMessage(call, chat);
  const threadId = writableTopic(call, chat, replyTo);
  countAgainstLimits(call, chat);
  const message = world.post(chat, { from: bot.user, ...what, keyboard, threadId, replyTo });
  return succeeded(toTelegram(world, message));
}

/** `reply_parameters`, or the two older parameters that still work. */
function repliedMessage({ world, params }: Call, chat: ChatState): number | null {
  const reply = params.json('reply_parameters', 'reply parameters');
  if (reply !== undefined && !isRecord(reply)) throw badRequest('object expected as reply parameters');
  const fields = reply ? new Params(reply) : null;
  const id = fields ? fields.integer('message_id') : params.integer('reply_to_message_id');
  if (id === undefined || id === 0) {
    if (fields) throw badRequest(`can't parse reply parameters: Can't find field "message_id"`);
    return null;
  }
  const elsewhere = fields?.integer('chat_id');
  const where = elsewhere === undefined ? chat : world.chat(elsewhere);
  if (where.messages.has(id)) return where === chat ? id : null;
  if ((fields ?? params).boolean('allow_sending_without_reply')) return null;
  throw badRequest('message to be replied not found');
}

function readFile({ world, params }: Call, name: 'document' | 'photo'): StoredDocument {
  const named = params.string(name);
  const attached = named?.startsWith('attach://') ? named.slice('attach://'.length) : undefined;
  const file = params.files.get(attached ?? name);
  if (file) {
    if (file.bytes.length === 0) throw badRequest('file must be non-empty');
    if (file.bytes.length > LARGEST_UPLOAD_BYTES) throw new BotApiError(413, 'Request Entity Too Large');
    return world.keep(file);
  }
  if (named === undefined || named === '') throw badRequest(`there is no ${name} in the request`);
  const known = world.documents.get(named);
  // The sandbox does not download files, so a URL is refused too.
  if (!known) throw badRequest('wrong file identifier/HTTP URL specified');
  return known;
}
