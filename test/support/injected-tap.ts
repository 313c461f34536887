import type { ChatMessage } from './sandbox-client';
import type { TelegramRig } from './telegram-rig';
import { CHAT_ID, OPERATOR_ID } from './well-known';

/** The sandbox's own updates have lower numbers. */
let lastUpdate = 910_000_000;

/** An id for a tap that the sandbox does not make itself. */
export const newTapId = (): string => `forged-${++lastUpdate}`;

/**
 * Delivers a tap of Olivia's: of a client that shows an older version of the message, with data that somebody made, or for
 * another time.
 */
export async function injectTap(
  { chat }: TelegramRig,
  {
    id,
    data,
    messageId,
    buttons,
  }: {
    readonly id: string;
    readonly data: string;
    readonly messageId: number;
    readonly buttons: ChatMessage['buttons'];
  },
): Promise<void> {
  lastUpdate += 1_000;
  const inline_keyboard = buttons.map((row) =>
    row.map((key) => ({ text: key.text, callback_data: key.data })),
  );
  const callback_query = {
    id,
    from: { id: OPERATOR_ID, is_bot: false, first_name: 'Olivia' },
    message: {
      message_id: messageId,
      from: (await chat.message(messageId)).from,
      chat: { id: Number(CHAT_ID), type: 'supergroup' },
      date: 1,
      text: '',
      reply_markup: { inline_keyboard },
    },
    chat_instance: '1',
    data,
  };
  await chat.change('updates', { inject: [{ update_id: lastUpdate, callback_query }] });
}
