import { isDeepStrictEqual } from 'node:util';
import { badRequest } from '../bot-api-error';
import { readInlineKeyboard } from '../inline-keyboard';
import { toTelegram } from '../message-view';
import type { FormattedText, InlineKeyboard, StoredMessage } from '../telegram-types';
import { countAgainstLimits, editableMessage, writableChat } from './access';
import { succeeded, type Call, type Method, type Success } from './call';
import { readCaption, readText } from './text-parameter';

/** Telegram lets a bot delete a message for everyone for 48 hours. */
const DELETABLE_SECONDS = 48 * 3600;

export const editMessageText: Method = (call) => {
  const content = readText(call);
  const keyboard = readInlineKeyboard(call);
  return change(call, (message) => {
    if (message.document) throw badRequest('there is no text in the message to edit');
    return { content, keyboard };
  });
};

export const editMessageCaption: Method = (call) => {
  const content = readCaption(call);
  const keyboard = readInlineKeyboard(call);
  return change(call, (message) => {
    if (!message.document) throw badRequest('there is no caption in the message to edit');
    return { content, keyboard };
  });
};

export const editMessageReplyMarkup: Method = (call) => {
  const keyboard = readInlineKeyboard(call);
  return change(call, (message) => ({ content: message.content, keyboard }));
};

interface Version {
  readonly content: FormattedText;
  readonly keyboard: InlineKeyboard | null;
}

function change(call: Call, next: (message: StoredMessage) => Version): Success {
  const chat = writableChat(call);
  const message = editableMessage(call, chat);
  const { content, keyboard } = next(message);
  countAgainstLimits(call, chat);
  if (isDeepStrictEqual(content, message.content) && isDeepStrictEqual(keyboard, message.keyboard)) {
    throw badRequest(
      'message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message',
    );
  }
  message.content = content;
  message.keyboard = keyboard;
  call.world.edited(message);
  return succeeded(toTelegram(call.world, message));
}

export const deleteMessage: Method = (call) => {
  const { world, bot, params } = call;
  const chat = writableChat(call);
  const id = params.integer('message_id');
  if (id === undefined || id <= 0) throw badRequest('message identifier is not specified');
  const message = chat.messages.get(id);
  if (!message) throw badRequest('message to delete not found');
  if (message.from.id !== bot.id && chat.type !== 'private') throw badRequest("message can't be deleted");
  if (world.nowSeconds() - message.date > DELETABLE_SECONDS) {
    throw badRequest("message can't be deleted for everyone");
  }
  world.delete(chat, id);
  return succeeded(true);
};
