import { createHash } from 'node:crypto';
import { aPng } from '../support/pictures';
import { FakeClock } from '../support/fake-clock';
import {
  Driver,
  GROUP,
  OTHER_TOKEN,
  TOKEN,
  eachTestItsSandbox,
  type SentMessage,
} from '../support/sandbox-driver';

const sandbox = eachTestItsSandbox();

interface SentDocument extends SentMessage {
  readonly document: { readonly file_id: string };
}

const MISSING = 99;
const longest = 'x'.repeat(4096);

describe('tokens and methods', () => {
  it('takes any well-formed token, and getMe names its bot', async () => {
    expect(await sandbox().client().getMe()).toMatchObject({ id: 7100000001, is_bot: true });
    expect(await sandbox().client(OTHER_TOKEN).getMe()).toMatchObject({ id: 7100000002 });
  });

  it.each([
    ['7100000001:short', 401, 'Unauthorized'],
    ['nonsense', 404, 'Not Found'],
    ['0123:'.padEnd(45, 'a'), 404, 'Not Found'],
  ])('refuses the token %s with %i', async (token, code, description) => {
    expect(await sandbox().refused('getMe', {}, token)).toEqual({ code, description });
  });

  it('answers an unknown method with 404', async () => {
    expect(await sandbox().refused('sendTelegram')).toEqual({ code: 404, description: 'Not Found' });
  });

  it('does not mind the case of a method, and takes GET, forms and queries', async () => {
    const base = `${sandbox().url}/bot${TOKEN}/`;
    const answers = await Promise.all([
      fetch(`${base}SENDMESSAGE?chat_id=${GROUP}&text=query`),
      fetch(`${base}sendMessage`, {
        method: 'POST',
        body: new URLSearchParams({ chat_id: String(GROUP), text: 'form' }),
      }),
    ]);
    expect(answers.map((a) => a.status)).toEqual([200, 200]);
    expect((await sandbox().messages()).map((m) => m.text).sort()).toEqual(['form', 'query']);
  });

  it('refuses a body that is no JSON', async () => {
    const response = await fetch(`${sandbox().url}/bot${TOKEN}/getMe`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"a":',
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ ok: false, error_code: 400 });
  });
});

describe('sendMessage', () => {
  it('answers the message as stored, with entities and keyboard', async () => {
    const message = await sandbox().send({
      text: '<b>Hi</b> &amp; <tg-time unix="1700000000" format="r">soon</tg-time>',
      parse_mode: 'HTML',
      reply_markup: { inline_keyboard: [[{ text: 'OK', callback_data: 'x', style: 'success' }]] },
    });
    expect(message).toMatchObject({
      chat: { id: GROUP, type: 'group' },
      text: 'Hi & soon',
      entities: [
        { type: 'bold', offset: 0, length: 2 },
        { type: 'date_time', offset: 5, length: 4, unix_time: 1700000000, date_time_format: 'r' },
      ],
      reply_markup: { inline_keyboard: [[{ text: 'OK', callback_data: 'x', style: 'success' }]] },
    });
  });

  it('counts 4096 UTF-16 units after the entities are parsed', async () => {
    const html = (text: string): object => ({ text: `<b>${text}</b>`, parse_mode: 'HTML' });
    expect((await sandbox().send(html(longest))).text).toHaveLength(4096);
    expect((await sandbox().send({ text: '😀'.repeat(2048) })).text).toHaveLength(4096);
    expect(await sandbox().badRequest('sendMessage', { chat_id: GROUP, ...html(`${longest}x`) })).toBe(
      'message is too long',
    );
    expect(await sandbox().badRequest('sendMessage', { chat_id: GROUP, text: '😀'.repeat(2049) })).toBe(
      'message is too long',
    );
  });

  it('trims before it counts', async () => {
    expect((await sandbox().send({ text: `  ${longest}\n` })).text).toBe(longest);
  });

  it.each([
    [{ text: '' }, 'message text is empty'],
    [{ text: undefined }, 'message text is empty'],
    [{ text: ' \n ' }, 'text must be non-empty'],
    [{ text: '<b></b>', parse_mode: 'HTML' }, 'text must be non-empty'],
    [
      { text: '<b>x', parse_mode: 'HTML' },
      `can't parse entities: Can't find end tag corresponding to start tag "b"`,
    ],
    [
      { text: 'é<x>', parse_mode: 'HTML' },
      `can't parse entities: Unsupported start tag "x" at byte offset 2`,
    ],
    [{ text: '*x*', parse_mode: 'MarkdownV2' }, 'unsupported parse_mode'],
    [
      { text: 'a', entities: [{ type: 'bold', offset: 0, length: 5 }] },
      'entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 5',
    ],
    [{ chat_id: undefined }, 'chat_id is empty'],
    [{ chat_id: '@nobody' }, 'chat not found'],
    [{ chat_id: 0 }, 'chat not found'],
    [{ reply_parameters: { message_id: MISSING } }, 'message to be replied not found'],
    [{ reply_to_message_id: MISSING }, 'message to be replied not found'],
  ])('refuses %j', async (params, words) => {
    expect(await sandbox().badRequest('sendMessage', { chat_id: GROUP, text: 'a', ...params })).toBe(words);
  });

  it.each([
    [{ text: 'x', callback_data: 'd'.repeat(65) }, 'BUTTON_DATA_INVALID'],
    [{ text: 'x', callback_data: 'é'.repeat(33) }, 'BUTTON_DATA_INVALID'],
    [{ text: 'x', callback_data: '' }, 'BUTTON_DATA_INVALID'],
    [{ text: 'x', url: 'nowhere' }, 'BUTTON_URL_INVALID'],
    [{ text: 'x' }, `can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard`],
    [{ callback_data: 'x' }, `can't parse inline keyboard button: Can't find field "text"`],
    [
      { text: 'x', callback_data: 'x', style: 'pink' },
      `can't parse inline keyboard button: invalid button style specified`,
    ],
  ])('refuses the button %j', async (button, words) => {
    const reply_markup = { inline_keyboard: [[button]] };
    expect(await sandbox().badRequest('sendMessage', { chat_id: GROUP, text: 'a', reply_markup })).toBe(
      words,
    );
  });

  it('takes 64 bytes of callback data', async () => {
    const reply_markup = { inline_keyboard: [[{ text: 'x', callback_data: 'é'.repeat(32) }]] };
    await expect(sandbox().send({ reply_markup })).resolves.toMatchObject({ reply_markup });
  });

  it('quotes what it replies to, and sends without when that is allowed', async () => {
    const first = await sandbox().send();
    expect(await sandbox().send({ reply_parameters: { message_id: first.message_id } })).toMatchObject({
      reply_to_message: { message_id: first.message_id, text: 'hello' },
    });
    const loose = await sandbox().send({
      reply_parameters: { message_id: MISSING, allow_sending_without_reply: true },
    });
    expect(loose).not.toHaveProperty('reply_to_message');
    expect(
      await sandbox().send({ reply_to_message_id: MISSING, allow_sending_without_reply: true }),
    ).not.toHaveProperty('reply_to_message');
  });

  it('numbers messages within their chat', async () => {
    const { message_id: first } = await sandbox().send();
    await sandbox().send({ chat_id: 5 });
    expect((await sandbox().send()).message_id).toBe(first + 1);
  });

  it('never numbers a message as one from before it was started anew', async () => {
    const clock = new FakeClock();
    const sendFromNewSandbox = async (): Promise<number> => {
      const driver = await Driver.start({ clock });
      const { message_id: id } = await driver.send();
      await driver.close();
      return id;
    };
    const before = await sendFromNewSandbox();
    clock.advance(1000);
    const after = await sendFromNewSandbox();
    expect(after).toBeGreaterThan(before);
    expect(after).toBeLessThan(2 ** 31);
  });
});

describe('chats that changed', () => {
  it("a removed bot gets 403 in the words of the chat's kind, until it is let in again", async () => {
    const chats = {
      [GROUP]: 'bot was kicked from the group chat',
      5: 'bot was blocked by the user',
      [-1001234567890]: 'bot was kicked from the supergroup chat',
    };
    for (const [chat, words] of Object.entries(chats)) {
      await sandbox().post('chats', { chat: Number(chat), blocked: true });
      expect(await sandbox().refused('sendMessage', { chat_id: chat, text: 'a' })).toEqual({
        code: 403,
        description: `Forbidden: ${words}`,
      });
    }
    await sandbox().post('chats', { chat: GROUP, blocked: false });
    await expect(sandbox().send()).resolves.toBeDefined();
  });

  it('removal and return are told as my_chat_member', async () => {
    await sandbox().call('getMe');
    await sandbox().post('chats', { chat: GROUP, blocked: true });
    await sandbox().post('chats', { chat: GROUP, blocked: false });
    const changes = (await sandbox().updates()).map(
      (u) => (u.my_chat_member as { new_chat_member: { status: string } }).new_chat_member.status,
    );
    expect(changes).toEqual(['kicked', 'member']);
  });

  it('an upgraded group answers with its new id, which works', async () => {
    const migrateTo = -1001234567890;
    const card = await sandbox().sendCard();
    await sandbox().post('chats', { chat: GROUP, migrateTo });
    const moved = {
      code: 400,
      description: 'Bad Request: group chat was upgraded to a supergroup chat',
      parameters: { migrate_to_chat_id: migrateTo },
    };
    expect(await sandbox().refused('sendMessage', { chat_id: GROUP, text: 'a' })).toEqual(moved);
    expect(
      await sandbox().refused('editMessageText', { chat_id: GROUP, message_id: card.message_id, text: 'a' }),
    ).toEqual(moved);
    expect(await sandbox().send({ chat_id: migrateTo })).toMatchObject({
      chat: { id: migrateTo, type: 'supergroup' },
    });
    const told = (await sandbox().updates()).map((u) => u.message);
    expect(told).toMatchObject([{ migrate_to_chat_id: migrateTo }, { migrate_from_chat_id: GROUP }]);
  });

  it('a vanished chat is not found', async () => {
    await sandbox().post('chats', { chat: GROUP, missing: true });
    expect(await sandbox().badRequest('sendMessage', { chat_id: GROUP, text: 'a' })).toBe('chat not found');
    expect(await sandbox().badRequest('getChat', { chat_id: GROUP })).toBe('chat not found');
  });

  it('a deleted group can be looked at, and takes nothing', async () => {
    await sandbox().post('chats', { chat: GROUP, deleted: true });
    expect(await sandbox().refused('sendMessage', { chat_id: GROUP, text: 'a' })).toEqual({
      code: 403,
      description: 'Forbidden: the group chat was deleted',
    });
    expect(await sandbox().client().getChat(GROUP)).toMatchObject({ id: GROUP });
  });

  it('where files are not allowed text still is', async () => {
    await sandbox().post('chats', { chat: GROUP, documents: false });
    const document = new File(['x'], 'a.txt');
    expect(await sandbox().badRequest('sendDocument', { chat_id: GROUP, document })).toBe(
      'not enough rights to send documents to the chat',
    );
    expect(await sandbox().call('getChat', { chat_id: GROUP })).toMatchObject({
      permissions: { can_send_documents: false },
    });
    await sandbox().send({ text: 'a' });
  });
});

describe('topics', () => {
  const FORUM = -1_001_234_567_890;
  const to = (topic?: number): object => ({
    chat_id: FORUM,
    text: 'a',
    ...(topic === undefined ? {} : { message_thread_id: topic }),
  });
  beforeEach(() => sandbox().post('chats', { chat: FORUM, forum: true }));

  it('exist in forums until they are deleted, and nowhere else', async () => {
    expect(await sandbox().send(to(7))).toMatchObject({ message_thread_id: 7, is_topic_message: true });
    await sandbox().post('chats', { chat: FORUM, deleteTopic: 7 });
    expect(await sandbox().badRequest('sendMessage', to(7))).toBe('message thread not found');
    expect(await sandbox().badRequest('sendMessage', { ...to(7), chat_id: GROUP })).toBe(
      'message thread not found',
    );
    expect((await sandbox().control('POST', 'chats', { chat: GROUP, forum: true })).status).toBe(409);
  });

  it('that are closed take nothing until they are open again, and hold up no other', async () => {
    await sandbox().post('chats', { chat: FORUM, closeTopic: 7 });
    expect(await sandbox().badRequest('sendMessage', to(7))).toBe('TOPIC_CLOSED');
    expect(
      await sandbox().badRequest('sendChatAction', {
        chat_id: FORUM,
        message_thread_id: 7,
        action: 'typing',
      }),
    ).toBe('TOPIC_CLOSED');
    await sandbox().send(to(8));
    await sandbox().post('chats', { chat: FORUM, reopenTopic: 7 });
    await sandbox().send(to(7));
  });

  it('General is the chat itself, which can be closed, and no thread', async () => {
    expect(await sandbox().badRequest('sendMessage', to(1))).toBe('message thread not found');
    await sandbox().post('chats', { chat: FORUM, closeTopic: 1 });
    expect(await sandbox().badRequest('sendMessage', to())).toBe('TOPIC_CLOSED');
    await sandbox().send(to(7));
  });

  it('a reply goes to the topic of what it replies to', async () => {
    const { message_id } = await sandbox().send(to(7));
    expect(await sandbox().send({ ...to(), reply_parameters: { message_id } })).toMatchObject({
      message_thread_id: 7,
    });
  });
});

describe('edits', () => {
  const edit = (message: SentMessage, params: object = {}): object => ({
    chat_id: GROUP,
    message_id: message.message_id,
    text: 'changed',
    ...params,
  });

  it('replaces text and takes the buttons away when none are given', async () => {
    const card = await sandbox().sendCard();
    const edited = await sandbox().call<{ text: string; edit_date: number }>('editMessageText', edit(card));
    expect(edited.text).toBe('changed');
    expect(edited.edit_date).toBeGreaterThan(1_700_000_000);
    expect(await sandbox().messages()).toMatchObject([{ text: 'changed', buttons: [], edits: 1 }]);
  });

  it('an edit that changes nothing is refused', async () => {
    const card = await sandbox().sendCard();
    const words =
      'message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message';
    await sandbox().call('editMessageText', edit(card));
    expect(await sandbox().badRequest('editMessageText', edit(card, { text: ' changed\n' }))).toBe(words);
    expect(await sandbox().badRequest('editMessageReplyMarkup', edit(card))).toBe(words);
    await expect(
      sandbox().call('editMessageText', edit(card, { text: '<b>changed</b>', parse_mode: 'HTML' })),
    ).resolves.toBeDefined();
  });

  it('buttons alone can be changed', async () => {
    const card = await sandbox().sendCard();
    const reply_markup = { inline_keyboard: [[{ text: 'Again', callback_data: 'y' }]] };
    await sandbox().call('editMessageReplyMarkup', edit(card, { reply_markup }));
    expect(await sandbox().messages()).toMatchObject([
      { text: 'Approve this?', buttons: [[{ text: 'Again', data: 'y' }]] },
    ]);
  });

  it.each([
    [{ message_id: MISSING }, 'message to edit not found'],
    [{ message_id: undefined }, 'message identifier is not specified'],
    [{ text: '' }, 'message text is empty'],
    [{ text: `${longest}x` }, 'message is too long'],
    [
      { text: '<i>', parse_mode: 'HTML' },
      `can't parse entities: Can't find end tag corresponding to start tag "i"`,
    ],
  ])('refuses %j', async (params, words) => {
    const card = await sandbox().sendCard();
    expect(await sandbox().badRequest('editMessageText', edit(card, params))).toBe(words);
  });

  it("another's message cannot be edited, nor the text of a document", async () => {
    const { messageId } = await sandbox().say('mine');
    expect(
      await sandbox().badRequest('editMessageText', { chat_id: GROUP, message_id: messageId, text: 'a' }),
    ).toBe("message can't be edited");
    const card = await sandbox().sendCard();
    const { description } = await sandbox().refused('editMessageText', edit(card), OTHER_TOKEN);
    expect(description).toBe("Bad Request: message can't be edited");
    const document = await sandbox().call<SentMessage>('sendDocument', {
      chat_id: GROUP,
      document: new File(['x'], 'a'),
    });
    expect(
      await sandbox().badRequest('editMessageText', {
        chat_id: GROUP,
        message_id: document.message_id,
        text: 'a',
      }),
    ).toBe('there is no text in the message to edit');
    await sandbox().call('editMessageCaption', {
      chat_id: GROUP,
      message_id: document.message_id,
      caption: 'new',
    });
    expect((await sandbox().messages()).at(-1)).toMatchObject({ text: 'new', edits: 1 });
  });

  it('deletes its own message, once', async () => {
    const card = await sandbox().sendCard();
    const target = { chat_id: GROUP, message_id: card.message_id };
    expect(await sandbox().call('deleteMessage', target)).toBe(true);
    expect(await sandbox().badRequest('deleteMessage', target)).toBe('message to delete not found');
    const { messageId } = await sandbox().say('mine');
    expect(await sandbox().badRequest('deleteMessage', { chat_id: GROUP, message_id: messageId })).toBe(
      "message can't be deleted",
    );
    expect(await sandbox().messages()).toHaveLength(1);
  });
});

describe('documents', () => {
  const bytes = Buffer.from([0, 1, 2, 255, 13, 10, 45, 45]);
  const sha256 = createHash('sha256').update(bytes).digest('hex');

  it('keeps every byte, and hands them out by control API and by getFile', async () => {
    const message = await sandbox().call<SentDocument>('sendDocument', {
      chat_id: GROUP,
      document: new File([bytes], 'Überweisung 1.bin'),
      caption: 'see <b>all</b>',
      parse_mode: 'HTML',
    });
    expect(message).toMatchObject({
      caption: 'see all',
      caption_entities: [{ type: 'bold', offset: 4, length: 3 }],
    });
    const [stored] = await sandbox().messages();
    expect(stored?.document).toMatchObject({ fileName: 'Überweisung 1.bin', size: bytes.length, sha256 });
    const fileId = message.document.file_id;
    const link = await sandbox().client().getFileLink(fileId);
    for (const url of [link.href, `${sandbox().url}/sandbox/documents/${fileId}`]) {
      expect(Buffer.from(await (await fetch(url)).arrayBuffer())).toEqual(bytes);
    }
  });

  it('sends a known file again by its id, with buttons', async () => {
    const first = await sandbox().call<SentDocument>('sendDocument', {
      chat_id: GROUP,
      document: new File([bytes], 'a.bin'),
    });
    const again = await sandbox()
      .client()
      .sendDocument(GROUP, first.document.file_id, {
        reply_markup: { inline_keyboard: [[{ text: 'OK', callback_data: 'x' }]] },
      });
    expect(again.document.file_id).toBe(first.document.file_id);
    expect((await sandbox().messages())[1]?.buttons).toEqual([[{ text: 'OK', data: 'x' }]]);
  });

  it('a reply survives multipart when it comes as JSON text', async () => {
    const card = await sandbox().sendCard();
    const reply_parameters = JSON.stringify({ message_id: card.message_id });
    await sandbox().call('sendDocument', {
      chat_id: GROUP,
      document: new File([bytes], 'a'),
      reply_parameters,
    });
    expect((await sandbox().messages())[1]?.replyTo).toBe(card.message_id);
  });

  it.each([
    [{}, 'there is no document in the request'],
    [{ document: 'no-such-file' }, 'wrong file identifier/HTTP URL specified'],
    [{ document: new File([], 'a') }, 'file must be non-empty'],
    [{ document: new File(['x'], 'a'), caption: 'x'.repeat(1025) }, 'message caption is too long'],
  ])('refuses %j', async (params, words) => {
    expect(await sandbox().badRequest('sendDocument', { chat_id: GROUP, ...params })).toBe(words);
  });

  it('shows a picture by its size, and hands it out for the page', async () => {
    const png = aPng(30, 20);
    const message = await sandbox().call<{ photo: unknown[] }>('sendPhoto', {
      chat_id: GROUP,
      photo: new File([png], 'chart.png'),
      caption: 'a chart',
    });
    expect(message).toMatchObject({
      photo: [{ width: 30, height: 20, file_size: png.length }],
      caption: 'a chart',
    });
    const [stored] = await sandbox().messages();
    expect(stored).toMatchObject({ photo: { width: 30, height: 20 }, document: { fileName: 'chart.png' } });
    const shown = await fetch(`${sandbox().url}/sandbox/photos/${stored?.document?.fileId}`);
    expect(shown.headers.get('content-type')).toBe('image/png');
    expect(Buffer.from(await shown.arrayBuffer())).toEqual(png);
  });

  it.each([
    [{}, 'there is no photo in the request'],
    [{ photo: new File(['no picture'], 'a.png') }, 'IMAGE_PROCESS_FAILED'],
    [{ photo: new File([aPng(9_000, 1_001)], 'a.png') }, 'PHOTO_INVALID_DIMENSIONS'],
    [{ photo: new File([aPng(1, 21)], 'a.png') }, 'PHOTO_INVALID_DIMENSIONS'],
    [{ photo: new File([Buffer.alloc(10 * 1024 * 1024 + 1)], 'a.png') }, /is too big for a photo$/],
  ])('refuses the picture %j', async (params, words) => {
    expect(await sandbox().badRequest('sendPhoto', { chat_id: GROUP, ...params })).toEqual(
      typeof words === 'string' ? words : expect.stringMatching(words),
    );
  });

  it('does not know other files', async () => {
    expect(await sandbox().badRequest('getFile', { file_id: 'x' })).toBe('invalid file_id');
    expect((await fetch(`${sandbox().url}/file/bot${TOKEN}/documents/x`)).status).toBe(404);
  });
});

describe('the rest', () => {
  it('commands are kept and checked', async () => {
    const commands = [{ command: 'pending', description: 'What waits' }];
    expect(await sandbox().client().setMyCommands(commands)).toBe(true);
    expect(await sandbox().client().getMyCommands()).toEqual(commands);
    expect(
      await sandbox().badRequest('setMyCommands', { commands: [{ command: 'Bad!', description: 'x' }] }),
    ).toBe('BOT_COMMAND_INVALID');
    expect(
      await sandbox().badRequest('setMyCommands', { commands: [{ command: 'a', description: '' }] }),
    ).toBe('BOT_COMMAND_DESCRIPTION_INVALID');
  });

  it('commands belong to their scope, which is checked', async () => {
    const client = sandbox().client();
    const [all, few] = [[{ command: 'pending', description: 'x' }], [{ command: 'help', description: 'y' }]];
    await client.setMyCommands(few);
    await client.setMyCommands(all, { scope: { type: 'chat', chat_id: GROUP } });
    expect(await client.getMyCommands()).toEqual(few);
    expect(await client.getMyCommands({ scope: { type: 'chat', chat_id: GROUP } })).toEqual(all);
    expect(await client.getMyCommands({ scope: { type: 'all_private_chats' } })).toEqual([]);
    for (const [scope, words] of [
      [{ type: 'planet' }, "can't parse BotCommandScope: Unsupported type specified"],
      [{ chat_id: GROUP }, 'can\'t parse BotCommandScope: can\'t find field "type"'],
      [{ type: 'chat' }, 'can\'t parse BotCommandScope: can\'t find field "chat_id"'],
      [{ type: 'chat', chat_id: 'x' }, 'chat not found'],
      [{ type: 'chat_member', chat_id: GROUP }, 'can\'t parse BotCommandScope: can\'t find field "user_id"'],
    ] as const)
      expect(await sandbox().badRequest('setMyCommands', { commands: few, scope })).toBe(words);
  });

  it('chats and members appear as they are asked for', async () => {
    expect(await sandbox().client().getChat(GROUP)).toMatchObject({
      id: GROUP,
      type: 'group',
      title: 'Approvals',
    });
    expect(await sandbox().client().getChat(44)).toMatchObject({ id: 44, type: 'private' });
    expect(await sandbox().client().getChatMember(GROUP, 1)).toMatchObject({
      status: 'member',
      user: { id: 1 },
    });
  });
});
