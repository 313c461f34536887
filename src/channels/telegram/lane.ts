/** Name of the channel, with which its lanes begin. */
export const CHANNEL = 'telegram';

/** A chat, or one topic of a forum. */
export interface ChatLane {
  readonly chatId: string;
  /** Id of the topic; {@link NO_TOPIC} for the chat itself, which in a forum is its General topic. */
  readonly threadId: string;
}

export const NO_TOPIC = '0';

/** The member of a Bot API call that names the topic. */
export const topicOf = ({ threadId }: ChatLane) =>
  threadId === NO_TOPIC ? {} : { message_thread_id: Number(threadId) };

/** `telegram:-100123`, or `telegram:-100123/17` for a topic. */
export function formatLane({ chatId, threadId }: ChatLane): string {
  return `${CHANNEL}:${chatId}${threadId === NO_TOPIC ? '' : `/${threadId}`}`;
}

/** @throws Error for a lane of another channel. */
export function parseLane(lane: string): ChatLane {
  const [, chatId, threadId = NO_TOPIC] = /^telegram:(-?\d+)(?:\/(\d+))?$/.exec(lane) ?? [];
  if (chatId === undefined) throw new Error(`${lane} is not a lane of Telegram`);
  return { chatId, threadId };
}

/** True for the chat of one person with the bot; its id is the person's. */
export const isDirect = (chatId: string): boolean => !chatId.startsWith('-');
