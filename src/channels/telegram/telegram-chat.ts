import { Injectable } from '@nestjs/common';
import type { RichText } from '../../cards/rich-text';
import { DeliveryFailure, type FailureScope } from '../channel';
import { OperatorChat, type Attachment, type Button, type SendOptions, type Sent } from './operator-chat';
import { isDirect, topicOf, type ChatLane } from './lane';
import { Destination } from './destination';
import { Log } from '../../logging/log';
import { CircuitBreakerService } from '../../resilience/circuit-breaker';
import type { BotApiMethod, BotApiResult } from './bot-api/bot-api-answers';
import { Dialect, fits, writeButtons, writeText, type Form } from './dialect';
import { isPhotoRefused, isRefused, scopeOf } from './bot-api/failure-scope';
import { TelegramApi, type Budgeted } from './bot-api/telegram-api';
import { TelegramFailure } from './bot-api/telegram-failure';
import { TelegramStatus } from './telegram-status';
import { TelegramWatch } from './telegram-watch';

const NO_PREVIEW = { is_disabled: true };

/** Failures that mean that operators do not receive messages. */
const STOPS_MESSAGES: ReadonlySet<FailureScope> = new Set(['lane', 'connection', 'unknown']);

interface Purpose {
  readonly chatId: string;
  readonly isReply?: boolean | undefined;
  readonly isEdit?: boolean;
}

const mentions = (error: unknown, words: string) =>
  error instanceof TelegramFailure && error.message.includes(words);

/** True if the message can no longer be edited: deleted, too old, or left behind in a migrated group. */
function isGone(error: unknown): boolean {
  return (
    mentions(error, 'message to edit not found') ||
    mentions(error, "message can't be edited") ||
    mentions(error, 'MESSAGE_ID_INVALID') ||
    (error instanceof TelegramFailure && error.migratedToChatId !== null)
  );
}

/** Options for writing and sending a message. Without a list of buttons a new message has none. */
interface Writing extends Pick<SendOptions, 'beforePlain' | 'once'> {
  readonly buttons?: SendOptions['buttons'] | undefined;
  readonly budget: Budgeted;
}

/** OperatorChat over Telegram. */
@Injectable()
export class TelegramChat extends OperatorChat {
  private readonly dialect = new Dialect();
  /** The operators' chat refused the last message, e.g. for a closed topic; a successful edit proves nothing. */
  private chatRefuses = false;

  constructor(
    private readonly api: TelegramApi,
    private readonly breaker: CircuitBreakerService,
    private readonly watch: TelegramWatch,
    private readonly status: TelegramStatus,
    private readonly destination: Destination,
    private readonly log: Log,
  ) {
    super();
  }

  get reachable(): boolean {
    return this.watch.isReady && this.breaker.state === 'closed';
  }

  onReachable(listener: () => void): void {
    void this.watch.ready.then(listener);
    this.breaker.onStateChange(({ to }) => {
      if (to === 'closed') listener();
    });
  }

  /** Checks that Telegram answers. A success does not prove that messages get through, so it is not reported. */
  async check(): Promise<void> {
    try {
      await this.watch.probe();
    } catch (error) {
      throw error instanceof TelegramFailure ? this.failureFor(error, null) : error;
    }
  }

  async send(lane: ChatLane, message: RichText, options: SendOptions = {}): Promise<Sent> {
    const { buttons = [], replyTo = null, slot = null, roomMs, isReply } = options;
    const { chatId } = lane;
    const payload = {
      chat_id: chatId,
      ...topicOf(lane),
      // Send the reply even if somebody deleted the card.
      ...(replyTo === null
        ? {}
        : { reply_parameters: { message_id: Number(replyTo), allow_sending_without_reply: true } }),
    };
    const sent = await this.deliver(
      () =>
        this.text('sendMessage', message, payload, {
          ...options,
          buttons: buttons.length > 0 ? buttons : undefined,
          budget: { chatId, slot, roomMs },
        }),
      {
        isReply,
        chatId,
      },
    );
    return { messageId: String(sent.message_id), text: sent.text ?? '' };
  }

  async edit(chatId: string, messageId: string, message: RichText, options: SendOptions = {}): Promise<void> {
    const { buttons = [], slot = null, isReply } = options;
    const payload = { chat_id: chatId, message_id: Number(messageId) };
    const writing = { ...options, buttons, budget: { chatId, slot } };
    await this.deliver(
      () => this.change(messageId, () => this.text('editMessageText', message, payload, writing)),
      { isReply, chatId, isEdit: true },
    );
  }

  async editButtons(
    chatId: string,
    messageId: string,
    buttons: readonly Button[],
    { slot = null, once = false }: Pick<SendOptions, 'slot' | 'once'> = {},
  ): Promise<void> {
    const payload = {
      chat_id: chatId,
      message_id: Number(messageId),
      reply_markup: writeButtons(buttons, this.dialect.form),
    };
    const options = { budget: { chatId, slot }, retry: !once };
    await this.deliver(
      () => this.change(messageId, () => this.api.call('editMessageReplyMarkup', payload, options)),
      { chatId, isEdit: true },
    );
  }

  /** Runs an edit; a message that is gone or has this form already is fine. */
  private async change(messageId: string, edit: () => Promise<unknown>): Promise<void> {
    try {
      await edit();
    } catch (error) {
      if (isGone(error))
        this.log.event(
          'info',
          'telegram.message-gone',
          { messageId },
          'the message cannot be edited any more',
        );
      else if (!(error instanceof TelegramFailure && error.isNotModified)) throw error;
    }
  }

  async sendFile(
    lane: ChatLane,
    { fileName, bytes, isPhoto = false }: Attachment,
    caption: RichText,
    { slot = null, once = false }: Pick<SendOptions, 'slot' | 'once'> = {},
  ): Promise<string> {
    const { chatId } = lane;
    const file = new File([bytes], fileName);
    const payload = { chat_id: chatId, ...topicOf(lane) };
    const how = { once, budget: { chatId, slot } };
    const sent = await this.deliver(
      async () => {
        if (isPhoto) {
          try {
            return await this.formatted('sendPhoto', 'caption', caption, { ...payload, photo: file }, how);
          } catch (error) {
            if (!isPhotoRefused(error)) throw error;
            how.budget.slot = null;
          }
        }
        // Telegram would turn an animation into a video of its own.
        const document = { document: file, disable_content_type_detection: true };
        return this.formatted('sendDocument', 'caption', caption, { ...payload, ...document }, how);
      },
      { chatId },
    );
    return String(sent.message_id);
  }

  private text<Method extends 'sendMessage' | 'editMessageText'>(
    method: Method,
    message: RichText,
    payload: object,
    how: Writing,
  ): Promise<BotApiResult<Method>> {
    return this.formatted(method, 'text', message, { ...payload, link_preview_options: NO_PREVIEW }, how);
  }

  /** Sends in a form that this server supports, in the last resort plain text: better a plain card than none. */
  private async formatted<Method extends BotApiMethod>(
    method: Method,
    field: 'text' | 'caption',
    message: RichText,
    payload: object,
    { buttons, beforePlain, once = false, budget }: Writing,
  ): Promise<BotApiResult<Method>> {
    let form = this.dialect.form;
    let room = budget;
    for (;;) {
      const markup = buttons ? { reply_markup: writeButtons(buttons, form) } : {};
      try {
        const written = { ...payload, ...writeText(field, message, form), ...markup };
        return await this.api.call(method, written, { budget: room, retry: !once });
      } catch (error) {
        const refusal = error instanceof TelegramFailure && error.status === 400 ? error.message : '';
        const simpler = this.dialect.simplify(form, refusal);
        // A truncated message would not show what is approved, so send none.
        if (simpler === null || !fits(message, simpler)) throw error;
        this.logRefusal(method, refusal, simpler);
        if (!simpler.html) await beforePlain?.();
        form = simpler;
        room = { ...budget, slot: null };
      }
    }
  }

  private logRefusal(method: string, error: string, { html }: Form): void {
    if (html) {
      const words = 'this Bot API server does not know a format; it is left out until restart';
      this.log.event('warn', 'telegram.format-unknown', { method, error }, words);
    } else {
      const words = 'Telegram cannot parse our HTML; sent as plain text';
      this.log.event('warn', 'telegram.html-refused', { method, error }, words);
    }
  }

  /**
   * Does the work and reports whether messages reach operators. Maps a failure to a DeliveryFailure, whose scope
   * determines the retry.
   */
  private async deliver<Result>(work: () => Promise<Result>, purpose: Purpose): Promise<Result> {
    const concernsOperators = !purpose.isReply && this.destination.isIn(purpose.chatId);
    try {
      const result = await work();
      if (concernsOperators && !(purpose.isEdit && this.chatRefuses)) this.report(null, false);
      return result;
    } catch (error) {
      if (!(error instanceof TelegramFailure)) throw error;
      const failure = this.failureFor(error, purpose.chatId);
      if (concernsOperators && STOPS_MESSAGES.has(failure.scope)) {
        const chatRefuses = failure.scope === 'lane' && !purpose.isEdit;
        this.report(`messages do not get through: ${error.message}`, chatRefuses);
      }
      throw failure;
    }
  }

  private report(reason: string | null, chatRefuses: boolean): void {
    this.chatRefuses = chatRefuses;
    this.status.report('sending', reason);
  }

  private failureFor(error: TelegramFailure, chatId: string | null): DeliveryFailure {
    const isRefusal = isRefused(error);
    const isGone = error.reason === 'forbidden' || /chat not found|PEER_ID_INVALID/i.test(error.message);
    const isEnded =
      isRefusal && isGone && chatId !== null && isDirect(chatId) && !this.destination.isIn(chatId);
    const scope = isEnded ? 'ended' : scopeOf(error);
    return new DeliveryFailure(scope, error.message, error.retryAfterMs, { cause: error, isRefusal });
  }
}
