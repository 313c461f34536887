/** The shapes of the Bot API that the stand-in stores or answers; names are Telegram's. */
export interface User {
  readonly id: number;
  readonly is_bot: boolean;
  readonly first_name: string;
  readonly username?: string;
  readonly language_code?: string;
}

export type ChatType = 'private' | 'group' | 'supergroup';

export interface Chat {
  readonly id: number;
  readonly type: ChatType;
  readonly title?: string;
  readonly first_name?: string;
  readonly is_forum?: true;
}

/** Offsets and lengths count UTF-16 code units, as JavaScript strings do. */
export interface MessageEntity {
  readonly type: string;
  readonly offset: number;
  readonly length: number;
  readonly url?: string;
  readonly user?: User;
  readonly language?: string;
  readonly custom_emoji_id?: string;
  readonly unix_time?: number;
  readonly date_time_format?: string;
}

export interface FormattedText {
  readonly text: string;
  readonly entities: readonly MessageEntity[];
}

export interface InlineButton {
  readonly text: string;
  readonly callback_data?: string;
  readonly url?: string;
  readonly style?: string;
}

export type InlineKeyboard = readonly (readonly InlineButton[])[];

export interface BotCommand {
  readonly command: string;
  readonly description: string;
}

/** An uploaded file, kept whole. */
export interface StoredDocument {
  readonly fileId: string;
  readonly fileName: string;
  readonly mimeType: string;
  readonly bytes: Buffer;
  readonly sha256: string;
}

/** Size of a picture in pixels. */
export interface PhotoSize {
  readonly width: number;
  readonly height: number;
}

/** One message of one chat; ids count per chat, as in a supergroup. */
export interface StoredMessage {
  readonly messageId: number;
  readonly chatId: number;
  readonly from: User;
  /** The chat on whose behalf it was sent: a channel, or the group itself for an anonymous administrator. */
  readonly senderChatId: number | null;
  /** Unix seconds. */
  readonly date: number;
  readonly replyTo: number | null;
  readonly threadId: number | null;
  readonly document: StoredDocument | null;
  /** Set if the document was sent as a picture. */
  readonly photo: PhotoSize | null;
  /** Fields of a service message, such as `migrate_to_chat_id`. */
  readonly service: Readonly<Record<string, unknown>> | null;
  /** The text, or the caption of a document. */
  content: FormattedText;
  keyboard: InlineKeyboard | null;
  /** Unix seconds of the last edit. */
  editDate: number | null;
  /** Number of edits. */
  edits: number;
}
