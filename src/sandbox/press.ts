import type { CallbackAnswer, Callbacks } from './callbacks';
import { ControlError } from './control-input';
import { toTelegram } from './message-view';
import { ANONYMOUS, type World } from './world';

export interface Press {
  readonly chat: number;
  readonly messageId: number;
  /** Part of the button's text, or the full text if several buttons contain it. */
  readonly button: string;
  readonly user: number;
  readonly senderChat?: number | undefined;
}

/**
 * Taps a button and waits for the bot's answer.
 *
 * @returns null if the bot did not answer in time
 * @throws {ControlError} 404 without such a message or button, 409 for a button that sends nothing to a bot
 */
export async function press(world: World, callbacks: Callbacks, tap: Press): Promise<CallbackAnswer | null> {
  const message = world.chat(tap.chat).messages.get(tap.messageId);
  if (!message) throw new ControlError(404, `no message ${tap.messageId} in chat ${tap.chat}`);
  const buttons = (message.keyboard ?? []).flat();
  const button =
    buttons.find((b) => b.text === tap.button) ?? buttons.find((b) => b.text.includes(tap.button));
  if (!button) {
    const there = buttons.map((b) => b.text).join(', ') || 'none';
    throw new ControlError(404, `no button "${tap.button}" on message ${tap.messageId} (buttons: ${there})`);
  }
  const bot = world.botWithId(message.from.id);
  if (!bot || button.callback_data === undefined) {
    throw new ControlError(409, `the button "${button.text}" reports to no bot`);
  }
  const { id, answer } = callbacks.begin(bot);
  const query = {
    id,
    from: tap.senderChat === undefined ? world.user(tap.user) : ANONYMOUS,
    message: toTelegram(world, message),
    chat_instance: String(tap.chat),
    data: button.callback_data,
  };
  bot.queue.add('callback_query', query, String(tap.chat));
  return answer;
}
