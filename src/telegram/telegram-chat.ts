import { Injectable } from '@nestjs/common';
import {
  ChatFailure,
  OperatorChat,
  type Attachment,
  type Button,
  type MessageText,
} from '../escalation/operator-chat';
import { TelegramApi } from './telegram-api';
import { TelegramFailure } from './telegram-failure';

interface SentMessage {
  readonly message_id: number;
}

const keyboard = (buttons: readonly Button[]) => ({
  inline_keyboard: [buttons.map(({ text, data, style }) => ({ text, callback_data: data, style }))],
});

const NO_PREVIEW = { is_disabled: true };

/** A chat that is gone, a bot that is barred, a message Telegram will never take: trying again changes nothing. */
function chatFailure(error: unknown): unknown {
  if (!(error instanceof TelegramFailure)) return error;
  const { reason, retryAfterMs, outcomeUnknown } = error;
  const details = { outcomeUnknown, ...(retryAfterMs === null ? {} : { retryAfterMs }) };
  return new ChatFailure(reason === 'bad-request' ? 'never' : 'later', error.message, details, {
    cause: error,
  });
}

const saidNotModified = (error: unknown) =>
  error instanceof TelegramFailure && error.message.includes('message is not modified');
const saidCannotParse = (error: unknown) =>
  error instanceof TelegramFailure && error.message.includes("can't parse entities");

/** Telegram as the way to the operators. */
@Injectable()
export class TelegramChat extends OperatorChat {
  constructor(private readonly api: TelegramApi) {
    super();
  }

  async send(
    chatId: string,
    message: MessageText,
    { buttons = [], replyTo = null }: { buttons?: readonly Button[]; replyTo?: string | null } = {},
  ): Promise<string> {
    const sent = await this.withPlainFallback<SentMessage>('sendMessage', message, {
      chat_id: chatId,
      ...(buttons.length > 0 ? { reply_markup: keyboard(buttons) } : {}),
      // A card that somebody deleted must not keep the reply from being sent.
      ...(replyTo === null
        ? {}
        : { reply_parameters: { message_id: Number(replyTo), allow_sending_without_reply: true } }),
    });
    return String(sent.message_id);
  }

  async edit(
    chatId: string,
    messageId: string,
    message: MessageText,
    buttons: readonly Button[] = [],
  ): Promise<void> {
    await this.withPlainFallback('editMessageText', message, {
      chat_id: chatId,
      message_id: Number(messageId),
      reply_markup: buttons.length > 0 ? keyboard(buttons) : { inline_keyboard: [] },
    });
  }

  async sendDocument(chatId: string, { fileName, bytes }: Attachment, caption: MessageText): Promise<string> {
    try {
      const sent = await this.api.call<SentMessage>('sendDocument', {
        chat_id: chatId,
        document: { source: bytes, filename: fileName },
        caption: caption.html,
        parse_mode: 'HTML',
      });
      return String(sent.message_id);
    } catch (error) {
      throw chatFailure(error);
    }
  }

  /** HTML first; once as plain text when Telegram cannot parse it, since a plain card beats none. */
  private async withPlainFallback<Result>(
    method: string,
    message: MessageText,
    payload: object,
  ): Promise<Result> {
    const common = { ...payload, link_preview_options: NO_PREVIEW };
    try {
      try {
        return await this.api.call<Result>(method, { ...common, text: message.html, parse_mode: 'HTML' });
      } catch (error) {
        if (!saidCannotParse(error)) throw error;
        return await this.api.call<Result>(method, { ...common, text: message.text });
      }
    } catch (error) {
      if (saidNotModified(error)) return true as Result;
      throw chatFailure(error);
    }
  }
}
