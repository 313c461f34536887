import type { FailureScope } from '../../channel';
import { TelegramFailure } from './telegram-failure';

/**
 * Refusals of a message that no chat would accept: too long, entities, button data, empty, too large. Any other refusal
 * may end when somebody repairs the chat or its topic. The list is short on purpose: a refusal that is missing here is
 * retried and shown, but a wrong entry would end a card for good.
 */
const MESSAGE_FAULT =
  /message is too long|caption is too long|MESSAGE_TOO_LONG|CAPTION_TOO_LONG|can't parse (entities|MessageEntity|inline keyboard|reply)|ENTIT(Y|IES)_[A-Z_]+|BUTTON_[A-Z_]*INVALID|REPLY_MARKUP_[A-Z_]+|text is empty|must be non-empty|MESSAGE_EMPTY|Entity Too Large|file is too big/i;

/** Refusals of a chat that accepts text but no files, or no files of this kind. */
const FILES_REFUSED = /not enough rights to send (documents|media|files)|CHAT_SEND_(DOCS|MEDIA)_FORBIDDEN/i;

/** Refusals of a file as a picture. The same file may come as a document. */
const PHOTO_REFUSED =
  /PHOTO_[A-Z_]+|IMAGE_PROCESS_FAILED|too big for a photo|not enough rights to send photos|CHAT_SEND_PHOTOS_FORBIDDEN/i;

/** True if the chat or the server takes the file only as a document. */
export function isPhotoRefused(error: unknown): boolean {
  return error instanceof TelegramFailure && !error.outcomeUnknown && PHOTO_REFUSED.test(error.message);
}

/** The meaning of a failed call for retries. */
export function scopeOf(failure: TelegramFailure): FailureScope {
  if (failure.outcomeUnknown) return 'unknown';
  switch (failure.reason) {
    case 'rate-limited':
      return 'busy';
    case 'unauthorized':
    case 'conflict':
      return 'lane';
    case 'forbidden':
    case 'bad-request':
      if (failure.migratedToChatId !== null) return 'lane';
      if (failure.method === 'sendDocument' && FILES_REFUSED.test(failure.message)) return 'files';
      return MESSAGE_FAULT.test(failure.message) ? 'message' : 'lane';
    case 'server-error':
    case 'network':
    case 'timeout':
    case 'bad-answer':
    case 'circuit-open':
      return 'connection';
  }
}

/** True if the chat refuses messages, and not the message: it is gone, or the bot may not write there. */
export function isRefused(failure: TelegramFailure): boolean {
  return (
    scopeOf(failure) === 'lane' &&
    (failure.reason === 'forbidden' || failure.reason === 'bad-request') &&
    failure.migratedToChatId === null
  );
}
