import type { Chat, ChatType, StoredMessage, User } from './telegram-types';

/** One chat, and the states in which it refuses the bot. */
export interface ChatState {
  readonly id: number;
  readonly type: ChatType;
  readonly title: string;
  readonly messages: Map<number, StoredMessage>;
  /** A supergroup with topics; any thread id is taken for an existing topic until it is deleted. */
  forum: boolean;
  readonly deletedTopics: Set<number>;
  /** {@link GENERAL_TOPIC} is the chat itself. */
  readonly closedTopics: Set<number>;
  /** True if members, the bot among them, may send files. */
  documents: boolean;
  nextMessageId: number;
  /** The bot was kicked, or blocked by the user. */
  blocked: boolean;
  /** The sandbox answers as if the chat had never existed. */
  missing: boolean;
  /** The group was deleted, as an upgraded one may seem to be. */
  deleted: boolean;
  /** The supergroup this group was upgraded to. */
  migratedTo: number | null;
}

/** Message ids count seconds from this date; it is recent enough for ids to fit Telegram's 32 bits for decades. */
const IDS_BEGAN_SECONDS = Date.UTC(2020, 0, 1) / 1000;

/** Ids of supergroups and channels begin with -100 and have at least ten further digits. */
const FIRST_SUPERGROUP_ID = -1_000_000_000_000;

/** Id of the General topic in links; the Bot API has no thread with this id. */
export const GENERAL_TOPIC = 1;

export const isPrivate = (chatId: number): boolean => chatId > 0;

/**
 * Creates a chat whose first message id comes from the clock. A bot may remember ids from before a restart of the
 * sandbox, and must not find a different message under one of them.
 */
export function newChat(id: number, user: User | null, nowSeconds: number): ChatState {
  const type = isPrivate(id) ? 'private' : id <= FIRST_SUPERGROUP_ID ? 'supergroup' : 'group';
  return {
    id,
    type,
    title:
      user?.first_name ??
      (id === -1001 ? 'Approvals' : `${type === 'group' ? 'Group' : 'Supergroup'} ${-id}`),
    messages: new Map(),
    forum: false,
    deletedTopics: new Set(),
    closedTopics: new Set(),
    documents: true,
    nextMessageId: nowSeconds - IDS_BEGAN_SECONDS,
    blocked: false,
    missing: false,
    deleted: false,
    migratedTo: null,
  };
}

/** Lookup of chats by id. */
export interface ChatDirectory {
  chat(id: number): ChatState;
}

export function toTelegramChat(chat: ChatState): Chat {
  const named = chat.type === 'private' ? { first_name: chat.title } : { title: chat.title };
  return { id: chat.id, type: chat.type, ...named, ...(chat.forum ? { is_forum: true } : {}) };
}
