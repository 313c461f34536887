import type { Chat, ChatType, StoredMessage, User } from './telegram-types';

/** One chat and what stands between the bot and it. */
export interface ChatState {
  readonly id: number;
  readonly type: ChatType;
  readonly title: string;
  readonly messages: Map<number, StoredMessage>;
  /** Topics that were deleted; any other thread id is taken for an existing topic. */
  readonly deletedTopics: Set<number>;
  nextMessageId: number;
  /** The bot was kicked, or blocked by the user. */
  blocked: boolean;
  /** As if it had never existed. */
  missing: boolean;
  /** The supergroup this group was upgraded to. */
  migratedTo: number | null;
}

/** Message ids count from here in seconds: late enough for Telegram's 32 bits, for as long as anybody will ask. */
const IDS_BEGAN_SECONDS = Date.UTC(2020, 0, 1) / 1000;

/** Ids of supergroups and channels begin with -100 and have at least ten further digits. */
const FIRST_SUPERGROUP_ID = -1_000_000_000_000;

export const isPrivate = (chatId: number): boolean => chatId > 0;

/**
 * Its first message id comes from the clock: a bot may remember ids from before the sandbox was started anew, and
 * must not find another message under them.
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
    deletedTopics: new Set(),
    nextMessageId: nowSeconds - IDS_BEGAN_SECONDS,
    blocked: false,
    missing: false,
    migratedTo: null,
  };
}

/** Where chats are looked up. */
export interface ChatDirectory {
  chat(id: number): ChatState;
}

export function toTelegramChat(chat: ChatState): Chat {
  const named = chat.type === 'private' ? { first_name: chat.title } : { title: chat.title };
  return { id: chat.id, type: chat.type, ...named };
}
