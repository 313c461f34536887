import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { CHAT_ID, OPERATOR_ID } from '../support/well-known';

/** As in production, so that replies and cards compete. */
const REAL_BUDGET = {
  TELEGRAM_BUDGET_PER_SECOND: '30',
  TELEGRAM_BUDGET_CHAT_PER_SECOND: '1',
  TELEGRAM_BUDGET_GROUP_PER_MINUTE: '20',
};
const FLOOD = 200;
const MOST_ANSWERS_TO_STRANGERS = 5;

let rig: TelegramRig;
let nextPerson = 5_000;
const somebody = (): number => nextPerson++;

beforeEach(async () => {
  nextPerson += 1_000;
  rig = await TelegramRig.start(REAL_BUDGET);
});
afterEach(() => rig.close());

const repliesIn = async (chat: number): Promise<(number | null)[]> =>
  (await rig.chat.messages(chat)).flatMap(({ replyTo }) => replyTo ?? []);

const group = Number(CHAT_ID);

describe('a flood of commands', () => {
  it('of strangers holds back neither a tap nor a new card', async () => {
    const { approval, card } = await rig.shown();
    const flood = Array.from({ length: FLOOD }, (_, i) => ({ text: '/help', user: nextPerson + (i % 50) }));
    const flooder = somebody();
    await Promise.all(flood.map(({ text, user }) => rig.chat.say(text, { user })));
    await Promise.all(flood.map(({ text }) => rig.chat.say(text, { user: flooder, chat: flooder })));
    const pressed = rig.chat.press(card.messageId, 'Approve');
    await until('the tap counts', async () => (await rig.statusOf(approval)) === 'approved');
    await pressed;
    const next = await rig.asked();
    await rig.chat.card(next.id);
    const answered = [...(await repliesIn(group)), ...(await repliesIn(flooder))];
    expect(answered.length).toBeLessThanOrEqual(MOST_ANSWERS_TO_STRANGERS);
  });

  it('of an operator holds back no tap', async () => {
    const { approval, card } = await rig.shown();
    await Promise.all(Array.from({ length: FLOOD }, () => rig.chat.say('/pending')));
    const pressed = rig.chat.press(card.messageId, 'Reject');
    await until('the tap counts', async () => (await rig.statusOf(approval)) === 'rejected');
    await pressed;
  });
});

describe('a command', () => {
  it('of a stranger is answered once a minute, and of an operator every time', async () => {
    const stranger = somebody();
    expect(await rig.chat.ask('/whoami', stranger)).toContain(String(stranger));
    const ignored = await rig.chat.say('/whoami', { user: stranger });
    expect(await rig.chat.ask('/whoami', OPERATOR_ID)).toContain('You are an operator');
    expect(await rig.chat.ask('/help', OPERATOR_ID)).toContain('Countersign asks you');
    expect(await repliesIn(group)).not.toContain(ignored);
  });

  it('of a stranger who cannot be answered says nothing about the way to the operators', async () => {
    const stranger = somebody();
    await rig.chat.say('/whoami', { user: stranger, chat: stranger });
    await until('it is answered', async () => (await repliesIn(stranger)).length > 0);
    const other = somebody();
    await rig.chat.change('chats', { chat: stranger, blocked: true });
    await rig.chat.say('/help', { user: other, chat: stranger });
    await until('it cannot be', () => rig.events('telegram.reply-failed').length > 0);
    const health = await rig.api.call<{ details: { telegram: object } }>(null, 'GET', '/health');
    expect(health.body.details.telegram).toMatchObject({ status: 'up' });
    expect(health.body.details.telegram).not.toHaveProperty('degraded');
  });

  it('of a stranger is not answered, and the log says so, when the chat is full', async () => {
    await rig.database.query(
      `insert into send_slots (chat_id, at) select $1, clock_timestamp() from generate_series(1, 20)`,
      [CHAT_ID],
    );
    await rig.chat.say('/help', { user: somebody() });
    await until('it is dropped', () => rig.events('telegram.reply-failed').length > 0);
    expect(rig.events('telegram.reply-failed')[0]?.error).toContain('no room in the send budget');
    expect(await repliesIn(group)).toEqual([]);
  });
});
