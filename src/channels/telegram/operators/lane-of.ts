import { NO_TOPIC, type ChatLane } from '../lane';

interface Placed {
  readonly chat: { readonly id: number };
  readonly message_thread_id?: number | undefined;
  readonly is_topic_message?: boolean | undefined;
}

/** Lane of a message. In groups without topics replies create threads, which are not lanes. */
export function laneOf(message: Placed): ChatLane {
  const { chat, message_thread_id: topic, is_topic_message: inTopic } = message;
  return { chatId: String(chat.id), threadId: inTopic && topic !== undefined ? String(topic) : NO_TOPIC };
}
