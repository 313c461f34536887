import { EventEmitter } from 'node:events';
import { createHash, randomUUID } from 'node:crypto';
import type { Clock } from '../kernel/clock';
import { Bot } from './bot';
import { isPrivate, newChat, toTelegramChat, type ChatState } from './chats';
import { toTelegram } from './message-view';
import type { UploadedFile } from './params';
import type { Settings } from './settings';
import type {
  FormattedText,
  InlineKeyboard,
  PhotoSize,
  StoredDocument,
  StoredMessage,
  User,
} from './telegram-types';

/** The chat and the people the page starts with. */
export const FIRST_GROUP = -1001;
export const OPERATOR: User = { id: 1, is_bot: false, first_name: 'Olivia', username: 'olivia_operator' };
export const STRANGER: User = { id: 2, is_bot: false, first_name: 'Sam', username: 'sam_stranger' };

/** The user that Telegram names as the sender when somebody writes on behalf of a chat. */
export const ANONYMOUS: User = {
  id: 1087968824,
  is_bot: true,
  first_name: 'Group',
  username: 'GroupAnonymousBot',
};

/** Events that the chat page shows live. */
export interface WorldEvents {
  message: [StoredMessage];
  deleted: [{ chat: number; messageId: number }];
  /** Chats, people or commands have changed. */
  directory: [];
  /** The sandbox is back in its initial state. */
  reset: [];
}

export interface NewMessage {
  readonly from: User;
  readonly content: FormattedText;
  readonly senderChatId?: number | null;
  readonly keyboard?: InlineKeyboard | null;
  readonly replyTo?: number | null;
  readonly threadId?: number | null;
  readonly document?: StoredDocument | null;
  readonly photo?: PhotoSize | null;
  readonly service?: Readonly<Record<string, unknown>> | null;
}

/** Everything that exists in the sandbox: chats, people, messages, bots, files. */
export class World extends EventEmitter<WorldEvents> {
  readonly users = new Map<number, User>();
  readonly chats = new Map<number, ChatState>();
  readonly bots = new Map<string, Bot>();
  readonly documents = new Map<string, StoredDocument>();
  /** Updates from before the first bot connected: Telegram would have kept them for the bot. */
  private unheard: { kind: string; body: unknown; lane: string }[] = [];

  constructor(
    readonly clock: Clock,
    readonly settings: Settings,
  ) {
    super();
    this.setMaxListeners(0);
    this.populate();
  }

  private populate(): void {
    for (const user of [OPERATOR, STRANGER]) this.users.set(user.id, user);
    this.chat(FIRST_GROUP);
  }

  /** Resets the sandbox to its initial state. Bots keep their polls and webhooks but lose their waiting updates. */
  reset(): void {
    this.users.clear();
    this.chats.clear();
    this.documents.clear();
    this.unheard = [];
    for (const bot of this.bots.values()) bot.reset();
    this.populate();
    this.emit('reset');
  }

  nowSeconds(): number {
    return Math.floor(this.clock.now().getTime() / 1000);
  }

  /** The user with this id, created on first use. */
  user(id: number): User {
    const known = this.users.get(id);
    if (known) return known;
    const user: User = { id, is_bot: false, first_name: `User ${id}` };
    this.users.set(id, user);
    this.emit('directory');
    return user;
  }

  /** The chat with this id, created on first use; a positive id is a private chat with that user. */
  chat(id: number): ChatState {
    const known = this.chats.get(id);
    if (known) return known;
    const chat = newChat(id, isPrivate(id) ? this.user(id) : null, this.nowSeconds());
    this.chats.set(id, chat);
    this.emit('directory');
    return chat;
  }

  /** The bot of this token, which is a member of every chat from its first call on. */
  bot(token: string): Bot {
    const known = this.bots.get(token);
    if (known) return known;
    const bot = new Bot(token, this.clock, this.settings);
    this.bots.set(token, bot);
    for (const { kind, body, lane } of this.unheard.splice(0)) bot.queue.add(kind, body, lane);
    this.emit('directory');
    return bot;
  }

  botWithId(id: number): Bot | undefined {
    return [...this.bots.values()].find((bot) => bot.id === id);
  }

  post(chat: ChatState, message: NewMessage): StoredMessage {
    const stored: StoredMessage = {
      messageId: chat.nextMessageId++,
      chatId: chat.id,
      from: message.from,
      senderChatId: message.senderChatId ?? null,
      date: this.nowSeconds(),
      replyTo: message.replyTo ?? null,
      threadId: message.threadId ?? null,
      document: message.document ?? null,
      photo: message.photo ?? null,
      service: message.service ?? null,
      content: message.content,
      keyboard: message.keyboard ?? null,
      editDate: null,
      edits: 0,
    };
    chat.messages.set(stored.messageId, stored);
    this.emit('message', stored);
    return stored;
  }

  /** Records an edit of the message at this moment. */
  edited(message: StoredMessage): void {
    message.edits += 1;
    message.editDate = this.nowSeconds();
    this.emit('message', message);
  }

  delete(chat: ChatState, messageId: number): void {
    if (chat.messages.delete(messageId)) this.emit('deleted', { chat: chat.id, messageId });
  }

  /** Queues the update for every bot of the chat, or keeps it for the first bot that connects. */
  announce(kind: string, body: unknown, chatId: number): void {
    const lane = String(chatId);
    if (this.bots.size === 0) this.unheard.push({ kind, body, lane });
    for (const bot of this.bots.values()) bot.queue.add(kind, body, lane);
  }

  /** Announces a message that somebody other than a bot has posted. */
  announceMessage(message: StoredMessage): void {
    this.announce('message', toTelegram(this, message), message.chatId);
  }

  keep(file: UploadedFile): StoredDocument {
    const document: StoredDocument = {
      fileId: `sandbox-${randomUUID()}`,
      fileName: file.fileName,
      mimeType: file.mimeType,
      bytes: file.bytes,
      sha256: createHash('sha256').update(file.bytes).digest('hex'),
    };
    this.documents.set(document.fileId, document);
    return document;
  }

  /** Turns the group into a supergroup: calls to the old id are then answered with the new one. */
  migrate(from: ChatState, to: ChatState): void {
    from.migratedTo = to.id;
    const content = { text: '', entities: [] };
    const admin = this.user(OPERATOR.id);
    this.announceMessage(this.post(from, { from: admin, content, service: { migrate_to_chat_id: to.id } }));
    this.announceMessage(this.post(to, { from: admin, content, service: { migrate_from_chat_id: from.id } }));
    this.emit('directory');
  }

  /** Removes the bot from the chat (in a private chat: the user blocks it), or adds it again. */
  setBlocked(chat: ChatState, blocked: boolean): void {
    if (chat.blocked === blocked) return;
    chat.blocked = blocked;
    for (const bot of this.bots.values()) {
      const member = (status: string): unknown => ({ user: bot.user, status });
      const change = {
        chat: toTelegramChat(chat),
        from: this.user(isPrivate(chat.id) ? chat.id : OPERATOR.id),
        date: this.nowSeconds(),
        old_chat_member: member(blocked ? 'member' : 'kicked'),
        new_chat_member: member(blocked ? 'kicked' : 'member'),
      };
      bot.queue.add('my_chat_member', change, String(chat.id));
    }
    this.emit('directory');
  }
}
