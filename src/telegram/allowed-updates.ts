/** What Telegram shall tell us about (telegram.md 10). */
export const ALLOWED_UPDATES = ['message', 'callback_query', 'my_chat_member'] as const;
