import type { RichText } from '../../cards/rich-text';
import type { ChatLane } from './lane';

export type Button = {
  readonly text: string;
  readonly style?: 'success' | 'danger';
  /** Buttons of the same number stand in one row; without it, two stand in a row. */
  readonly row?: number;
} & (
  | {
      /** Callback data of a tap: 1 to 64 bytes. */
      readonly data: string;
    }
  | {
      /** Address that a tap opens. */
      readonly url: string;
    }
);

export interface Attachment {
  readonly fileName: string;
  readonly bytes: Buffer;
  /** True to send it as a picture if the chat takes it, else as a document. */
  readonly isPhoto?: boolean;
}

export interface SendOptions {
  readonly buttons?: readonly Button[];
  /** Called before the message is sent in plain form because the chat refused the HTML. */
  readonly beforePlain?: (() => Promise<void>) | undefined;
  readonly replyTo?: string | null;
  /** Room in the send budget that the caller has already taken; further attempts take their own. */
  readonly slot?: string | null;
  /** True to make one attempt, since earlier ones failed; else transient failures are retried within the call. */
  readonly once?: boolean;
  /** Longest wait for room in the send budget, in milliseconds; by default enough for a full chat. */
  readonly roomMs?: number | undefined;
  /** True for a reply to somebody's message in any chat; its success does not count for the operators' connection. */
  readonly isReply?: boolean;
}

/** A sent message, as the chat holds it. */
export interface Sent {
  readonly messageId: string;
  readonly text: string;
}

/** Telegram, as messages in chats. Every method that calls it rejects with DeliveryFailure. */
export abstract class OperatorChat {
  /** False while this replica should not send; `onReachable` reports the end of that. */
  abstract get reachable(): boolean;

  abstract onReachable(listener: () => void): void;

  /** Resolves if Telegram answers now; sends nothing to a chat. */
  abstract check(): Promise<void>;

  abstract send(lane: ChatLane, message: RichText, options?: SendOptions): Promise<Sent>;

  /** Replaces text and buttons. Succeeds also if the message is unchanged or no longer exists. */
  abstract edit(chatId: string, messageId: string, message: RichText, options?: SendOptions): Promise<void>;

  /** Replaces the buttons and leaves the text. Succeeds also if the message is unchanged or no longer exists. */
  abstract editButtons(
    chatId: string,
    messageId: string,
    buttons: readonly Button[],
    options?: Pick<SendOptions, 'slot' | 'once'>,
  ): Promise<void>;

  /** @returns the message's id in the chat. */
  abstract sendFile(
    lane: ChatLane,
    file: Attachment,
    caption: RichText,
    options?: Pick<SendOptions, 'slot' | 'once'>,
  ): Promise<string>;
}
