import type { ChatMessage } from '../support/sandbox-client';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { CHAT_ID, OPERATOR_ID } from '../support/well-known';

const GROUP = Number(CHAT_ID);
const ANONYMOUS_ADMIN = 1_087_968_824;

let rig: TelegramRig;
let nextId = 6_000;
/** A person or chat that no test has used: others than operators are answered once a minute, and five of them. */
const somebody = (): number => nextId++;
const someChannel = (): number => -1_009_999_000_000 - nextId++;

const SECOND_OPERATOR = 3;

/** Each group of tests has a service of its own, and with it those five answers. */
function withRig(): void {
  beforeAll(async () => {
    rig = await TelegramRig.start({ TELEGRAM_OPERATORS: `${OPERATOR_ID}:Olivia,${SECOND_OPERATOR}:Paul` });
  });
  afterAll(() => rig.close());
}

async function replyTo(question: number, chat = GROUP): Promise<string> {
  const reply = await until('a reply', async () =>
    (await rig.chat.messages(chat)).find((message: ChatMessage) => message.replyTo === question),
  );
  return reply.text;
}

async function rejected(): Promise<{ id: string; messageId: number }> {
  const { approval, card } = await rig.shown();
  await rig.chat.press(card.messageId, 'Reject');
  await rig.closed(card);
  return { id: approval.id, messageId: card.messageId };
}

const reasonOf = async (id: string) => (await rig.api.get(id)).body.decision?.reason ?? null;

const isReplyOfTheBot = ({ from, replyTo: question }: ChatMessage): boolean =>
  from.first_name === 'Countersign' && question !== null;

/** Replies of the bot in the chat, once everything that was said before was handled. */
async function everythingSaid(chat: number): Promise<string[]> {
  const last = await rig.chat.say('/help', { user: OPERATOR_ID, chat: OPERATOR_ID });
  await replyTo(last, OPERATOR_ID);
  return (await rig.chat.messages(chat)).filter(isReplyOfTheBot).map(({ text }) => text);
}

describe('an anonymous administrator', () => {
  withRig();

  it.each([
    ['the group itself', GROUP],
    ['a channel', someChannel()],
  ])(
    'as %s is told by /whoami to be anonymous and how to change it, and never an id',
    async (_as, senderChat) => {
      const text = await replyTo(await rig.chat.say('/whoami', { senderChat }));
      expect(text).toMatch(/anonymous/i);
      expect(text).toContain('Remain anonymous');
      expect(text).not.toContain(String(ANONYMOUS_ADMIN));
      expect(text).not.toMatch(/Group,|you may decide/);
    },
  );

  it('learns nothing from /pending but why', async () => {
    const { approval } = await rig.shown();
    const text = await replyTo(await rig.chat.say('/pending', { senderChat: someChannel() }));
    expect(text).toMatch(/anonymous/i);
    expect(text).not.toContain(approval.id.slice(-8));
  });

  it('who gives a reason is told that it was not taken', async () => {
    const { id, messageId } = await rejected();
    const said = await rig.chat.say('wrong cluster', { replyTo: messageId, senderChat: someChannel() });
    expect(await replyTo(said)).toMatch(/not taken as a reason: you write as the group or as a channel/);
    expect(await reasonOf(id)).toBeNull();
  });

  it('is answered once a minute, as strangers are', async () => {
    const senderChat = someChannel();
    await replyTo(await rig.chat.say('/whoami', { senderChat }));
    const before = (await everythingSaid(GROUP)).length;
    await rig.chat.say('/whoami', { senderChat });
    expect(await everythingSaid(GROUP)).toHaveLength(before);
  });

  it('who taps is told why nothing was decided', async () => {
    const { approval, card } = await rig.shown();
    const response = await fetch(`${rig.sandbox.url}/sandbox/press`, {
      method: 'POST',
      body: JSON.stringify({ chat: GROUP, messageId: card.messageId, button: 'Approve', senderChat: GROUP }),
    });
    const { answer } = (await response.json()) as { answer: { text: string; showAlert: boolean } };
    expect(answer.showAlert).toBe(true);
    expect(answer.text).toMatch(/anonymous.*Nothing was decided.*Remain anonymous/i);
    expect(answer.text).not.toContain(String(ANONYMOUS_ADMIN));
    expect(await rig.statusOf(approval)).toBe('pending');
  });
});

describe('a reply to a card', () => {
  withRig();

  it.each([
    ['a photo with a caption', { photo: [{ file_id: 'p' }], caption: 'wrong cluster' }],
    ['a voice message', { voice: { file_id: 'v', duration: 3 } }],
    ['a sticker', { sticker: { file_id: 's' } }],
    ['a document', { document: { file_id: 'd' } }],
    ['a place', { location: { latitude: 1, longitude: 2 } }],
    ['something that Telegram invents later', { hologram: { file_id: 'h' } }],
  ])('that is %s is answered: reasons are taken as text', async (_what, content) => {
    const { id, messageId } = await rejected();
    const said = await rig.chat.show(content, { replyTo: messageId });
    expect(await replyTo(said)).toMatch(/not taken as a reason: reasons are taken as text/);
    expect(await reasonOf(id)).toBeNull();
    // A text is still taken.
    await rig.chat.say('wrong cluster', { replyTo: messageId });
    await until('the reason is stored', async () => (await reasonOf(id)) === 'wrong cluster');
  });

  it('that is too long is answered, and one to another message is none of ours', async () => {
    const { messageId } = await rejected();
    const long = 'x'.repeat(1001);
    expect(await replyTo(await rig.chat.say(long, { replyTo: messageId }))).toMatch(
      /at most 1000 characters/,
    );
    const before = (await everythingSaid(GROUP)).length;
    const chatter = await rig.chat.say('lunch?');
    for (const content of [{ voice: { file_id: 'v' } }, { text: long }])
      await rig.chat.show(content, { replyTo: chatter });
    expect(await everythingSaid(GROUP)).toHaveLength(before);
  });

  it('of a stranger that is not a text is not answered', async () => {
    const { messageId } = await rejected();
    const before = (await everythingSaid(GROUP)).length;
    await rig.chat.show({ voice: { file_id: 'v' } }, { replyTo: messageId, user: somebody() });
    expect(await everythingSaid(GROUP)).toHaveLength(before);
  });
});

describe('in a group that is not configured', () => {
  withRig();

  it.each([
    ['/pending', OPERATOR_ID],
    ['/whoami', SECOND_OPERATOR],
  ])('%s of an operator tells nothing but where to ask', async (command, user) => {
    const { approval } = await rig.shown();
    const elsewhere = -somebody();
    const text = await replyTo(await rig.chat.say(command, { chat: elsewhere, user }), elsewhere);
    expect(text).toContain('does not answer in this chat');
    for (const secret of [approval.id.slice(-8), 'Olivia', 'operator', 'Waiting'])
      expect(text).not.toContain(secret);
    // Once a minute, however often it is asked.
    await rig.chat.say(command, { chat: elsewhere, user });
    expect(await everythingSaid(elsewhere)).toHaveLength(1);
  });

  it('a stranger is told the same', async () => {
    const elsewhere = -somebody();
    const said = await rig.chat.say('/whoami', { chat: elsewhere, user: somebody() });
    expect(await replyTo(said, elsewhere)).toContain('does not answer in this chat');
  });

  it('the buttons of an earlier list do nothing', async () => {
    const { approval } = await rig.shown();
    const elsewhere = -somebody();
    await fetch(`${rig.sandbox.url}/bot${rig.environment.TELEGRAM_BOT_TOKEN ?? ''}/sendMessage`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        chat_id: elsewhere,
        text: 'an earlier list',
        reply_markup: { inline_keyboard: [[{ text: 'Next', callback_data: `1:p:${approval.id}` }]] },
      }),
    });
    const [list] = await rig.chat.messages(elsewhere);
    const answer = await rig.chat.press(list?.messageId ?? 0, 'Next', OPERATOR_ID, elsewhere);
    expect(answer).toMatchObject({ showAlert: true });
    expect(answer?.text).toMatch(/not valid/);
    await everythingSaid(elsewhere);
    expect((await rig.chat.messages(elsewhere)).map(({ text }) => text)).toEqual(['an earlier list']);
  });
  it('in a private chat an operator is told everything', async () => {
    const { approval } = await rig.shown();
    const list = await replyTo(await rig.chat.say('/pending', { chat: OPERATOR_ID }), OPERATOR_ID);
    expect(list).toContain(approval.id.slice(-8));
  });
});
