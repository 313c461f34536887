import { toTelegramChat, type ChatDirectory } from './chats';
import type { StoredMessage } from './telegram-types';

/** The message as the Bot API shows it. */
export function toTelegram(
  world: ChatDirectory,
  message: StoredMessage,
  withReply = true,
): Record<string, unknown> {
  const { content, document, service } = message;
  const replied =
    withReply && message.replyTo !== null
      ? world.chat(message.chatId).messages.get(message.replyTo)
      : undefined;
  return {
    message_id: message.messageId,
    ...(message.threadId === null ? {} : { message_thread_id: message.threadId, is_topic_message: true }),
    from: message.from,
    ...(message.senderChatId === null
      ? {}
      : { sender_chat: toTelegramChat(world.chat(message.senderChatId)) }),
    chat: toTelegramChat(world.chat(message.chatId)),
    date: message.date,
    ...(message.editDate === null ? {} : { edit_date: message.editDate }),
    ...(replied ? { reply_to_message: toTelegram(world, replied, false) } : {}),
    ...(service ?? (document ? documentFields(message) : textFields(content))),
    ...(message.keyboard ? { reply_markup: { inline_keyboard: message.keyboard } } : {}),
  };
}

function textFields({ text, entities }: StoredMessage['content']): Record<string, unknown> {
  return { text, ...(entities.length > 0 ? { entities } : {}) };
}

function documentFields({ document, photo, content }: StoredMessage): Record<string, unknown> {
  if (!document) return {};
  const file = {
    file_id: document.fileId,
    file_unique_id: document.sha256.slice(0, 16),
    file_size: document.bytes.length,
  };
  return {
    ...(photo
      ? { photo: [{ ...file, ...photo }] }
      : { document: { file_name: document.fileName, mime_type: document.mimeType, ...file } }),
    ...(content.text === '' ? {} : { caption: content.text }),
    ...(content.entities.length > 0 ? { caption_entities: content.entities } : {}),
  };
}

/** The message as the control API and the page show it: `interface.md`, section Sandbox, and more. */
export function toControl(message: StoredMessage): Record<string, unknown> {
  const { document, photo, content, keyboard } = message;
  return {
    messageId: message.messageId,
    chat: message.chatId,
    text: content.text,
    entities: content.entities,
    buttons: (keyboard ?? []).map((row) =>
      row.map((b) => ({
        text: b.text,
        data: b.callback_data ?? null,
        ...(b.url === undefined ? {} : { url: b.url }),
        ...(b.style === undefined ? {} : { style: b.style }),
      })),
    ),
    document: document
      ? {
          fileName: document.fileName,
          size: document.bytes.length,
          sha256: document.sha256,
          fileId: document.fileId,
          caption: content.text,
        }
      : null,
    photo,
    edits: message.edits,
    date: message.date,
    editDate: message.editDate,
    from: message.from,
    senderChat: message.senderChatId,
    replyTo: message.replyTo,
    threadId: message.threadId,
    service: message.service,
  };
}
