import { badRequest } from '../bot-api-error';
import { isRecord } from '../params';
import { chatOf } from './access';
import type { Call } from './call';

/** Scopes without a chat. Source: core.telegram.org/bots/api#botcommandscope. */
const GENERAL = new Set(['default', 'all_private_chats', 'all_group_chats', 'all_chat_administrators']);
const OF_CHATS = new Set(['chat', 'chat_administrators', 'chat_member']);

const fault = (what: string): Error => badRequest(`can't parse BotCommandScope: ${what}`);

/**
 * A text for the scope and the language of a call about commands, the same for the same menu.
 *
 * @throws {BotApiError} 400 for a scope that Telegram does not have, or whose chat does not exist
 */
export function scopeKey(call: Call): string {
  const { params } = call;
  const language = params.string('language_code') ?? '';
  if (!/^([a-z]{2})?$/.test(language)) throw badRequest('invalid language code specified');
  const scope = params.json('scope', 'BotCommandScope') ?? { type: 'default' };
  if (!isRecord(scope)) throw fault('expected an Object');
  const { type, chat_id: chat, user_id: user } = scope;
  if (typeof type !== 'string') throw fault('can\'t find field "type"');
  if (GENERAL.has(type)) return `${type} ${language}`;
  if (!OF_CHATS.has(type)) throw fault('Unsupported type specified');
  if (typeof chat !== 'string' && typeof chat !== 'number') throw fault('can\'t find field "chat_id"');
  const { id, type: kind } = chatOf(call, String(chat));
  if (type === 'chat') return `chat ${id} ${language}`;
  if (kind === 'private') throw badRequest("can't change commands of administrators in a private chat");
  if (type === 'chat_administrators') return `${type} ${id} ${language}`;
  if (typeof user !== 'number' || !Number.isSafeInteger(user) || user <= 0)
    throw fault('can\'t find field "user_id"');
  return `${type} ${id} ${user} ${language}`;
}
