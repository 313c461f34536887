import { badRequest } from '../bot-api-error';
import { toTelegramChat } from '../chats';
import { isRecord } from '../params';
import { readableChat, writableChat, writableTopic } from './access';
import { succeeded, type Method } from './call';
import { scopeKey } from './command-scope';

/** Sources: core.telegram.org/bots/api#answercallbackquery, #botcommand, #setmycommands, #getfile. */
const LONGEST_ANSWER = 200;
const MOST_COMMANDS = 100;
const LONGEST_DESCRIPTION = 256;
const LARGEST_DOWNLOAD_BYTES = 20 * 1024 * 1024;

export const getMe: Method = ({ bot }) =>
  succeeded({
    ...bot.user,
    can_join_groups: true,
    can_read_all_group_messages: true,
    supports_inline_queries: false,
    can_connect_to_business: false,
    has_main_web_app: false,
  });

export const answerCallbackQuery: Method = ({ bot, callbacks, params }) => {
  const text = params.string('text') ?? '';
  if (text.length > LONGEST_ANSWER) throw badRequest('MESSAGE_TOO_LONG');
  callbacks.answer(bot, params.string('callback_query_id'), {
    text,
    showAlert: params.boolean('show_alert'),
  });
  return succeeded(true);
};

export const getChat: Method = (call) => {
  const chat = readableChat(call);
  const permissions = { can_send_messages: true, can_send_documents: chat.documents };
  return succeeded({
    ...toTelegramChat(chat),
    accent_color_id: 0,
    max_reaction_count: 11,
    ...(chat.type === 'private' ? {} : { permissions }),
  });
};

export const getChatMember: Method = (call) => {
  const { world, bot, params } = call;
  readableChat(call);
  const id = params.integer('user_id');
  if (id === undefined || id <= 0) throw badRequest('invalid user_id specified');
  return succeeded({ user: id === bot.id ? bot.user : world.user(id), status: 'member' });
};

export const setMyCommands: Method = (call) => {
  const { world, bot, params } = call;
  const commands = params.json('commands', 'bot commands');
  if (!Array.isArray(commands)) throw badRequest("can't parse bot commands: expected an Array of BotCommand");
  if (commands.length > MOST_COMMANDS) throw badRequest('BOT_COMMANDS_TOO_MUCH');
  const key = scopeKey(call);
  const menu = commands.map((entry: unknown) => {
    const { command, description }: Readonly<Record<string, unknown>> = isRecord(entry) ? entry : {};
    const name = typeof command === 'string' ? command.replace(/^\//, '') : '';
    if (!/^[a-z0-9_]{1,32}$/.test(name)) throw badRequest('BOT_COMMAND_INVALID');
    if (typeof description !== 'string' || description === '' || description.length > LONGEST_DESCRIPTION) {
      throw badRequest('BOT_COMMAND_DESCRIPTION_INVALID');
    }
    return { command: name, description };
  });
  bot.menus.set(key, menu);
  world.emit('directory');
  return succeeded(true);
};

export const getMyCommands: Method = (call) => succeeded(call.bot.menus.get(scopeKey(call)) ?? []);

export const getFile: Method = ({ world, params }) => {
  const document = world.documents.get(params.string('file_id') ?? '');
  if (!document) throw badRequest('invalid file_id');
  if (document.bytes.length > LARGEST_DOWNLOAD_BYTES) throw badRequest('file is too big');
  return succeeded({
    file_id: document.fileId,
    file_unique_id: document.sha256.slice(0, 16),
    file_size: document.bytes.length,
    file_path: `documents/${document.fileId}`,
  });
};

export const sendChatAction: Method = (call) => {
  if (call.params.string('action') === undefined) throw badRequest('wrong parameter action in request');
  writableTopic(call, writableChat(call));
  return succeeded(true);
};
