import { badRequest } from './bot-api-error';
import type { Call } from './methods/call';
import { isRecord } from './params';
import type { InlineButton, InlineKeyboard } from './telegram-types';

/** Sources: core.telegram.org/bots/api#inlinekeyboardbutton; the most buttons are those that the server accepts. */
const LONGEST_CALLBACK_DATA_BYTES = 64;
const MOST_BUTTONS = 100;
const STYLES = new Set(['danger', 'success', 'primary']);

/**
 * The inline keyboard of a call, or null. The sandbox accepts other kinds of markup (`force_reply`, reply
 * keyboards) but does not show them.
 *
 * @throws {BotApiError} 400 with Telegram's description
 */
export function readInlineKeyboard({ params, world }: Pick<Call, 'params' | 'world'>): InlineKeyboard | null {
  const { knowsButtonStyles } = world.settings;
  const markup = params.json('reply_markup', 'reply keyboard markup');
  if (markup === undefined) return null;
  if (!isRecord(markup)) throw badRequest('object expected as reply markup');
  const rows = markup.inline_keyboard;
  if (rows === undefined) return null;
  if (!Array.isArray(rows))
    throw badRequest('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array');
  const keyboard = rows.map((row) => readRow(row, knowsButtonStyles)).filter((row) => row.length > 0);
  if (keyboard.flat().length > MOST_BUTTONS) throw badRequest('reply markup is too long');
  return keyboard.length > 0 ? keyboard : null;
}

function readRow(row: unknown, knowsStyles: boolean): InlineButton[] {
  if (!Array.isArray(row)) {
    throw badRequest('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays');
  }
  return row.map((button) => readButton(button, knowsStyles));
}

function readButton(button: unknown, knowsStyles: boolean): InlineButton {
  const refuse = (what: string): Error => badRequest(`can't parse inline keyboard button: ${what}`);
  if (!isRecord(button)) throw refuse('InlineKeyboardButton must be an Object');
  const { text, callback_data: data, url, style } = button;
  if (text === undefined) throw refuse(`Can't find field "text"`);
  if (typeof text !== 'string') throw refuse('Field "text" must be of type String');
  if (text.trim() === '') throw badRequest('BUTTON_TEXT_INVALID');
  if (style !== undefined && !(knowsStyles && typeof style === 'string' && STYLES.has(style))) {
    throw refuse('invalid button style specified');
  }
  const common = { text, ...(typeof style === 'string' ? { style } : {}) };
  if (typeof url === 'string') {
    if (!/^(https?|tg):\/\/\S+$/.test(url)) throw badRequest('BUTTON_URL_INVALID');
    return { ...common, url };
  }
  if (data === undefined) throw refuse('Text buttons are unallowed in the inline keyboard');
  if (typeof data !== 'string') throw refuse('Field "callback_data" must be of type String');
  const bytes = Buffer.byteLength(data, 'utf8');
  if (bytes < 1 || bytes > LONGEST_CALLBACK_DATA_BYTES) throw badRequest('BUTTON_DATA_INVALID');
  return { ...common, callback_data: data };
}
