import type { Lane } from '../database/outbox-work';

/**
 * A message as HTML, as the text that stands in the chat once that is parsed, and in the form for a chat that takes no
 * HTML.
 */
export interface MessageText {
  readonly html: string;
  readonly text: string;
  readonly plain: string;
}

export interface Button {
  readonly text: string;
  /** What a tap sends back: 1 to 64 bytes. */
  readonly data: string;
  readonly style?: 'success' | 'danger';
}

export interface Attachment {
  readonly fileName: string;
  readonly bytes: Buffer;
}

/**
 * What a failure means for trying again.
 *
 * - `message`: this message will never be taken; others will.
 * - `files`: this chat takes text, and no files.
 * - `chat`: the chat or topic refuses it now, and may take it later.
 * - `busy`: the chat takes no more just now.
 * - `connection`: this replica does not reach Telegram now; another may.
 * - `unknown`: the message may have been delivered; no answer came.
 */
export type FailureScope = 'message' | 'files' | 'chat' | 'busy' | 'connection' | 'unknown';

/** A message could not be delivered. */
export class ChatFailure extends Error {
  override readonly name = 'ChatFailure';

  constructor(
    readonly scope: FailureScope,
    message: string,
    readonly told: {
      /** Not before this, said the chat. */
      readonly retryAfterMs?: number | null;
      /** The chat lives on under this id. */
      readonly migratedTo?: string | null;
    } = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface SendOptions {
  readonly buttons?: readonly Button[];
  /** Called before the message is sent in its plain form, in place of HTML that was refused. */
  readonly beforePlain?: (() => Promise<void>) | undefined;
  readonly replyTo?: string | null;
  /** Room in the send budget that the caller has taken already; further attempts take their own. */
  readonly slot?: string | null;
  /** Makes one attempt, since earlier ones failed; else failures that may pass are retried within the call. */
  readonly once?: boolean;
  /** How long to wait for room in the send budget, in milliseconds; else as long as it takes a full chat. */
  readonly roomMs?: number | undefined;
  /** An answer to what somebody wrote, wherever that was: what becomes of it says nothing about the way to operators. */
  readonly isReply?: boolean;
}

/** A message that was taken, as the chat holds it. */
export interface Sent {
  readonly messageId: string;
  readonly text: string;
}

/** The way to the operators. Every method that talks to the chat rejects with ChatFailure. */
export abstract class OperatorChat {
  /** False while this replica should not even try; `onReachable` tells when that is over. */
  abstract get reachable(): boolean;

  abstract onReachable(listener: () => void): void;

  /** Resolves when Telegram answers now; puts nothing into a chat. */
  abstract check(): Promise<void>;

  abstract send(lane: Lane, message: MessageText, options?: SendOptions): Promise<Sent>;

  /** Replaces text and buttons; what already stands there, and what is gone, is success. */
  abstract edit(
    chatId: string,
    messageId: string,
    message: MessageText,
    options?: SendOptions,
  ): Promise<void>;

  /** @returns the message's id in the chat. */
  abstract sendDocument(
    lane: Lane,
    file: Attachment,
    caption: MessageText,
    options?: Pick<SendOptions, 'slot' | 'once'>,
  ): Promise<string>;
}
