/** A message in both forms: HTML as it is sent, and the text that stands in the chat once that is parsed. */
export interface MessageText {
  readonly html: string;
  readonly text: string;
}

export interface Button {
  readonly text: string;
  /** What a tap sends back: 1 to 64 bytes. */
  readonly data: string;
  readonly style: 'success' | 'danger';
}

export interface Attachment {
  readonly fileName: string;
  readonly bytes: Buffer;
}

/** Why a message could not be delivered, and what that means for trying again. */
export class ChatFailure extends Error {
  override readonly name = 'ChatFailure';

  constructor(
    /** later: it may work after `retryAfterMs`; never: it will not, whatever is tried. */
    readonly outlook: 'later' | 'never',
    message: string,
    readonly details: {
      readonly retryAfterMs?: number;
      /** The request was written and no answer came: it may have been done. */
      readonly outcomeUnknown?: boolean;
    } = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The way to the operators. Every method rejects with ChatFailure. */
export abstract class OperatorChat {
  /** @returns the message's id in the chat. */
  abstract send(
    chatId: string,
    message: MessageText,
    options?: { readonly buttons?: readonly Button[]; readonly replyTo?: string | null },
  ): Promise<string>;

  /** Replaces text and buttons; what already stands there is success. */
  abstract edit(
    chatId: string,
    messageId: string,
    message: MessageText,
    buttons?: readonly Button[],
  ): Promise<void>;

  /** @returns the message's id in the chat. */
  abstract sendDocument(chatId: string, file: Attachment, caption: MessageText): Promise<string>;
}
