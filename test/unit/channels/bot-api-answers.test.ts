import {
  MAX_RETRY_AFTER_SECONDS,
  parseEnvelope,
  parseResult,
  UnreadableAnswer,
  type BotApiMethod,
} from '../../../src/channels/telegram/bot-api/bot-api-answers';
import { parseUpdate } from '../../../src/channels/telegram/updates/readable-update';
import { UpdateWindow } from '../../../src/channels/telegram/updates/update-window';

const json = (value: unknown): string => JSON.stringify(value);

const refused = (parameters: unknown, more: object = {}) => {
  const answer = { ok: false, error_code: 429, description: 'Too Many Requests', parameters, ...more };
  const parsed = parseEnvelope(json(answer), 429);
  if (!('refusal' in parsed)) throw new Error('a refusal');
  return parsed.refusal;
};

describe('an answer of the Bot API', () => {
  it.each([
    '',
    '<html></html>',
    '{"ok":tr',
    'null',
    '[]',
    '"ok"',
    '{}',
    '{"ok":"true","result":{}}',
    '{"ok":1}',
    '{"ok":false}',
    '{"ok":false,"error_code":"400","description":"Bad Request"}',
    '{"ok":false,"error_code":1e9,"description":"x"}',
    '['.repeat(100_000),
  ])('that is none is unreadable: %.60s', (text) => {
    expect(() => parseEnvelope(text, 200)).toThrow(UnreadableAnswer);
  });

  it('that says "ok" under an HTTP status that does not is unreadable', () => {
    expect(() => parseEnvelope('{"ok":true,"result":true}', 302)).toThrow(UnreadableAnswer);
    expect(() => parseEnvelope('{"ok":true,"result":true}', 400)).toThrow(UnreadableAnswer);
  });

  it('that refuses without a usable code has the code of HTTP', () => {
    const parsed = parseEnvelope('{"ok":false,"error_code":"x","description":7}', 403);
    expect(parsed).toMatchObject({ refusal: { error_code: 403, description: 'refused with 403' } });
  });

  it('has no description longer than Telegram writes', () => {
    expect(refused({}, { description: 'x'.repeat(1e6) }).description.length).toBeLessThan(1000);
  });
});

describe('retry_after', () => {
  it.each([
    [3, 3],
    [10_000, 10_000],
    [0.5, 0.5],
    ['5', 5],
  ])('%j is obeyed', (value, seconds) => {
    expect(refused({ retry_after: value }).parameters).toEqual({ retry_after: seconds });
  });

  it.each([1e30, 86_400_000, '999999999999', MAX_RETRY_AFTER_SECONDS + 1])(
    '%j is cut to the longest wait that is believed, and the refusal says so',
    (value) => {
      const { parameters, description } = refused({ retry_after: value });
      expect(parameters).toEqual({ retry_after: MAX_RETRY_AFTER_SECONDS });
      expect(description).toContain(`taken as ${MAX_RETRY_AFTER_SECONDS} s`);
    },
  );

  it.each(['abc', '', -1, 0, '-5', true, [5], { seconds: 5 }])(
    '%j is no time, and the refusal says so',
    (value) => {
      const { parameters, description } = refused({ retry_after: value });
      expect(parameters).toBeUndefined();
      expect(description).toContain('retry_after cannot be read');
    },
  );

  it('beyond the range of a number is cut as well', () => {
    const text = '{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":1e999}}';
    expect(parseEnvelope(text, 429)).toMatchObject({
      refusal: { parameters: { retry_after: MAX_RETRY_AFTER_SECONDS } },
    });
  });

  it.each([null, 'soon', 5, [], undefined])('in parameters %j is absent', (parameters) => {
    expect(refused(parameters).parameters).toBeUndefined();
  });
});

it.each([
  [-1001, -1001],
  ['-1001', -1001],
  ['x', undefined],
  [1e300, undefined],
  [{}, undefined],
  [0, undefined],
])('migrate_to_chat_id %j is %j', (value, id) => {
  expect(refused({ migrate_to_chat_id: value }).parameters?.migrate_to_chat_id).toBe(id);
});

describe('the result of a method', () => {
  const GOOD: Readonly<Record<BotApiMethod, unknown>> = {
    getMe: { id: 7, is_bot: true, first_name: 'Countersign', username: 'bot', new_member: 1 },
    getChat: { id: -1001, type: 'supergroup' },
    getUpdates: [null, 5],
    setWebhook: true,
    deleteWebhook: true,
    setMyCommands: true,
    answerCallbackQuery: true,
    sendChatAction: true,
    sendMessage: { message_id: 5, text: 'hello' },
    sendDocument: { message_id: 5 },
    sendPhoto: { message_id: 5 },
    editMessageText: { message_id: 5 },
    editMessageReplyMarkup: { message_id: 5 },
  };
  const methods = Object.keys(GOOD) as BotApiMethod[];

  it.each(methods)('of %s is taken as it should be', (method) => {
    expect(parseResult(method, GOOD[method])).toEqual(GOOD[method]);
  });

  it.each(methods)('of %s is unreadable when it is absent or of another type', (method) => {
    for (const result of [undefined, null, 'yes', 5, {}, { message_id: '5', id: '7' }, false])
      expect(() => parseResult(method, result)).toThrow(UnreadableAnswer);
  });
});

describe('an update', () => {
  it.each([
    { update_id: 5, message: { message_id: 1, chat: { id: -1 }, from: { id: 2, first_name: 'O' } } },
    { update_id: 5, callback_query: { id: '9', from: { id: 2, first_name: 'O' }, data: 'x' } },
    { update_id: 5, something_new: {} },
  ])('is taken with whatever Telegram adds: %j', (update) => {
    expect(parseUpdate(update)).toEqual({ update });
  });

  it.each([
    { value: null, id: null },
    { value: 'update', id: null },
    { value: [], id: null },
    { value: {}, id: null },
    { value: { update_id: '5' }, id: null },
    { value: { update_id: 1e30 }, id: null },
    { value: { update_id: -1 }, id: null },
    { value: { update_id: 5, message: 7 }, id: 5 },
    { value: { update_id: 5, callback_query: { id: 9, from: null } }, id: 5 },
    { value: { update_id: 5, message: { message_id: 1, chat: null } }, id: 5 },
  ])('that cannot be read has an id where it can be told: $value', ({ value, id }) => {
    expect(parseUpdate(value).unreadable?.id).toBe(id);
  });
});

describe('the window of updates', () => {
  it('confirms an update only after it was handled, and begins none twice', () => {
    const window = new UpdateWindow();
    expect([5, 6, 7].map((id) => window.begin(id))).toEqual([true, true, true]);
    window.done(5);
    window.done(7);
    expect(window.advance([5, 6, 7])).toBe(true);
    expect(window.offset).toBe(6);
    // Delivered again with what is new.
    expect([6, 7, 8].map((id) => window.begin(id))).toEqual([false, false, true]);
    window.done(8);
    expect(window.advance([6, 7, 8])).toBe(false);
    window.done(6);
    window.advance([6, 7, 8]);
    expect(window.offset).toBe(9);
  });

  it('begins anew what failed', () => {
    const window = new UpdateWindow();
    window.begin(5);
    window.failed(5);
    window.advance([5]);
    expect(window.offset).toBe(5);
    expect(window.begin(5)).toBe(true);
  });

  it('asks from the beginning after an empty answer, since ids may start anew', () => {
    const window = new UpdateWindow();
    window.begin(900);
    window.done(900);
    window.advance([900]);
    expect(window.offset).toBe(901);
    expect(window.advance([])).toBe(false);
    expect(window.offset).toBe(0);
    expect(window.begin(900)).toBe(true);
  });
});
