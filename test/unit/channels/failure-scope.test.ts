import { TelegramError } from 'telegraf';
import { scopeOf } from '../../../src/channels/telegram/bot-api/failure-scope';
import { toTelegramFailure } from '../../../src/channels/telegram/bot-api/telegram-failure';

const scope = (error_code: number, description: string, method = 'sendMessage', parameters = {}): string =>
  scopeOf(toTelegramFailure(method, new TelegramError({ error_code, description, parameters })));

describe('telegram.md 8: a refusal that is about the message and not about its chat', () => {
  it.each([
    'Bad Request: message is too long',
    'Bad Request: MESSAGE_TOO_LONG',
    'Bad Request: message caption is too long',
    'Bad Request: MEDIA_CAPTION_TOO_LONG',
    "Bad Request: can't parse entities: Unsupported start tag",
    "Bad Request: can't parse MessageEntity: Can't find field",
    'Bad Request: ENTITY_BOUNDS_INVALID',
    'Bad Request: BUTTON_DATA_INVALID',
    "Bad Request: can't parse inline keyboard button: Text must be non-empty",
    'Bad Request: REPLY_MARKUP_TOO_LONG',
    'Bad Request: message text is empty',
    'Bad Request: text must be non-empty',
    'Bad Request: MESSAGE_EMPTY',
  ])('%s', (description) => {
    expect(scope(400, description)).toBe('message');
  });

  it('413 of a document', () => {
    expect(scope(413, 'Request Entity Too Large', 'sendDocument')).toBe('message');
  });
});

describe('telegram.md 8: any other refusal is the trouble of the chat or topic, and may pass', () => {
  it.each([
    [400, 'Bad Request: TOPIC_CLOSED'],
    [400, 'Bad Request: TOPIC_DELETED'],
    [400, 'Bad Request: message thread not found'],
    [400, 'Bad Request: CHAT_RESTRICTED'],
    [400, 'Bad Request: CHAT_SEND_PLAIN_FORBIDDEN'],
    [400, 'Bad Request: CHAT_WRITE_FORBIDDEN'],
    [400, 'Bad Request: CHAT_ADMIN_REQUIRED'],
    [400, 'Bad Request: CHANNEL_PRIVATE'],
    [400, 'Bad Request: PEER_ID_INVALID'],
    [400, 'Bad Request: need administrator rights in the channel chat'],
    [400, 'Bad Request: not enough rights to send text messages to the chat'],
    [400, 'Bad Request: have no rights to send a message'],
    [400, 'Bad Request: chat not found'],
    [400, 'Bad Request: group chat was deactivated'],
    [400, 'Bad Request: SOMETHING_THAT_TELEGRAM_INVENTS_TOMORROW'],
    [403, 'Forbidden: bot was kicked from the supergroup chat'],
    [403, 'Forbidden: bot was blocked by the user'],
    [403, 'Forbidden: the group chat was deleted'],
    [401, 'Unauthorized'],
    [404, 'Not Found'],
    [409, 'Conflict: terminated by other getUpdates request'],
    [418, "I'm a teapot"],
  ])('%i %s', (status, description) => {
    expect(scope(status, description)).toBe('lane');
    expect(scope(status, description, 'sendDocument')).toBe('lane');
  });

  it('a group that became a supergroup', () => {
    const parameters = { migrate_to_chat_id: -1_002_000_000_000 };
    expect(
      scope(400, 'Bad Request: group chat was upgraded to a supergroup chat', 'sendMessage', parameters),
    ).toBe('lane');
  });
});

describe('a chat that takes text and no files', () => {
  it.each([
    'Bad Request: not enough rights to send documents to the chat',
    'Bad Request: not enough rights to send media messages to the chat',
    'Bad Request: CHAT_SEND_DOCS_FORBIDDEN',
    'Bad Request: CHAT_SEND_MEDIA_FORBIDDEN',
  ])('%s', (description) => {
    expect(scope(400, description, 'sendDocument')).toBe('files');
  });
});

it('429 is about neither: the chat takes no more just now', () => {
  expect(scope(429, 'Too Many Requests: retry after 3', 'sendMessage', { retry_after: 3 })).toBe('busy');
});

it.each([500, 502, 503, 504])('%i is about the connection', (status) => {
  expect(scope(status, 'Internal Server Error')).toBe('connection');
});
