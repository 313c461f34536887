import type { CallbackQuery, User } from 'telegraf/types';

/**
 * Lists the data of the buttons on a message of the bot. Null if the update shows none: the message is another's, too
 * old for Telegram to include, or without buttons.
 */
export function buttonDataOf(
  message: NonNullable<CallbackQuery['message']>,
  botId: number,
): readonly string[] | null {
  const sender: User | undefined = 'from' in message ? message.from : undefined;
  if (!('reply_markup' in message) || sender?.id !== botId) return null;
  return message.reply_markup.inline_keyboard
    .flat()
    .flatMap((button) => ('callback_data' in button ? [button.callback_data] : []));
}
