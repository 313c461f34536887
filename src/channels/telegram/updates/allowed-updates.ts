/** Kinds of updates that the service asks Telegram for (telegram.md 10). */
export const ALLOWED_UPDATES = ['message', 'callback_query', 'my_chat_member'] as const;
