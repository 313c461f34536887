import {
  parseCallbackData,
  parseGrantTap,
  parseWordsTap,
} from '../../src/channels/telegram/operators/callback-data';
import { STEADY_MS } from '../../src/channels/telegram/telegram-status';
import type { ApprovalJson } from '../support/api';
import { decisionsOf, type ChatMessage } from '../support/sandbox-client';
import { ALWAYS, TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { BOT_TOKEN, CHAT_ID, OPERATOR_ID, STRANGER_ID } from '../support/well-known';

const ANONYMOUS_ADMIN = 1_087_968_824;
const TELEGRAM_ITSELF = 777_000;
const GROUP = Number(CHAT_ID);
const OTHER_GROUP = -1002;
const GAP_SECONDS = 150;
/** Leaves room for the ids of genuine updates. */
const STEP = 1000;

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start();
});
afterAll(() => rig.close());
beforeEach(() => rig.wipe());

interface Tap {
  readonly data: string;
  readonly from?: object;
  readonly chat?: number;
  readonly messageId: number;
  readonly more?: object;
}

let updateId = 900_000_000;

/** Puts a callback query of any shape into the bot's queue. @returns its id. */
async function inject({ data, from, chat = GROUP, messageId, more }: Tap): Promise<string> {
  updateId += STEP;
  const id = String(updateId);
  const callback_query = {
    id,
    from: from ?? { id: OPERATOR_ID, is_bot: false, first_name: 'Olivia' },
    message: { message_id: messageId, chat: { id: chat, type: 'supergroup' }, date: 0, text: '', ...more },
    chat_instance: '1',
    data,
  };
  await rig.chat.change('updates', { inject: [{ update_id: updateId, callback_query }] });
  return id;
}

async function answerTo(id: string): Promise<string> {
  const call = await until('the tap is answered', async () =>
    (await rig.chat.calls('answerCallbackQuery')).find(({ params }) => params.callback_query_id === id),
  );
  return String(call.params.text);
}

const dataOf = (card: ChatMessage, button: string): string =>
  card.buttons.flat().find(({ text }) => text.includes(button))?.data ?? '';

const endingsOf = ({ id }: ApprovalJson) =>
  rig.database.query<{ type: string; actor: string }>(
    `select type, actor from audit_log where approval_id = $1 and type <> 'approval.enqueued' and type not like '%-refused' order by seq`,
    [id],
  );

/** Makes the poll that waits come home. */
const pollOnce = (): Promise<number> => rig.chat.say('hello', { user: STRANGER_ID });

const lastPoll = async (): Promise<number> => {
  const [row] = await rig.database.query<{ data: string }>(
    `select data from leases where name = 'telegram-poller'`,
  );
  return Number(row?.data);
};

describe('telegram.md 1: polling', () => {
  it.each([
    { fault: { status: 409 } },
    { fault: { status: 502, body: 'html' } },
    { fault: { reset: 'before' } },
    { fault: { body: 'truncated' } },
    { fault: { body: 'empty' } },
    { fault: { status: 429, retryAfter: 1 } },
  ])('goes on after $fault, and loses no tap', async ({ fault }) => {
    const { approval, card } = await rig.shown();
    await rig.chat.fault({ method: 'getUpdates', count: 2, ...fault });
    expect(await rig.chat.press(card.messageId, 'Approve')).toMatchObject({ showAlert: false });
    expect(await rig.statusOf(approval)).toBe('approved');
    expect(await endingsOf(approval)).toHaveLength(1);
  });
});

describe('telegram.md 3: the watchdog', () => {
  it('counts a poll that came home, and none that failed', async () => {
    const before = await lastPoll();
    await pollOnce();
    const counted = await until('a poll is counted', async () => {
      const now = await lastPoll();
      return now > before && now;
    });
    await rig.chat.fault({ method: 'getUpdates', status: 500, count: 2 });
    const failed = (): number =>
      rig.events('telegram.call').filter((l) => l.method === 'getUpdates' && l.status === 500).length;
    const failedBefore = failed();
    await pollOnce();
    const second = await until('it is counted too', async () => {
      const now = await lastPoll();
      return now > counted && now;
    });
    await until('one failed', () => failed() > failedBefore);
    expect(await lastPoll()).toBe(second);
  });
});

describe('telegram.md 10: the updates', () => {
  it('asked for are messages, taps and membership, and nothing that waits is dropped', async () => {
    await pollOnce();
    await until('a poll', async () => (await rig.chat.calls('getUpdates')).length > 0);
    for (const { params } of await rig.chat.calls('getUpdates'))
      expect(params.allowed_updates).toEqual(['message', 'callback_query', 'my_chat_member']);
    for (const { params } of await rig.chat.calls('deleteWebhook'))
      expect(params.drop_pending_updates).toBe(false);
  });

  it('that waited while no replica ran count when one starts', async () => {
    const { approval, card } = await rig.shown();
    await rig.app.close();
    const pressed = rig.chat.press(card.messageId, 'Reject');
    await rig.restart();
    expect(await pressed).toMatchObject({ showAlert: false });
    expect(await rig.statusOf(approval)).toBe('rejected');
  });

  it('come twice and in the wrong order, and each tap counts once', async () => {
    const { approval, card } = await rig.shown();
    const taps = [
      { data: dataOf(card, 'Reject'), messageId: card.messageId },
      { data: dataOf(card, 'Approve'), messageId: card.messageId },
    ];
    const ids: string[] = [];
    for (const tap of taps) ids.push(await inject(tap));
    await rig.chat.change('updates', { duplicateLast: true });
    await rig.chat.change('updates', { reverse: true });
    for (const id of ids) await answerTo(id);
    expect(await endingsOf(approval)).toHaveLength(1);
    expect(['approved', 'rejected']).toContain(await rig.statusOf(approval));
  });

  it('are understood when their numbers begin anew', async () => {
    const { approval, card } = await rig.shown();
    await rig.chat.change('updates', { restartAt: 5 });
    // An empty answer comes first, after which everything is asked for from the beginning.
    await rig.restart();
    await rig.chat.press(card.messageId, 'Approve');
    expect(await rig.statusOf(approval)).toBe('approved');
  });
});

describe('telegram.md 11: a tap', () => {
  it.each([
    {
      who: 'a stranger with an operator’s name',
      from: { id: STRANGER_ID, is_bot: false, first_name: 'Olivia', username: 'Olivia' },
    },
    {
      who: 'a stranger whose username is an operator’s id',
      from: { id: STRANGER_ID, is_bot: false, first_name: 'x', username: String(OPERATOR_ID) },
    },
    {
      who: 'an anonymous administrator',
      from: { id: ANONYMOUS_ADMIN, is_bot: true, first_name: 'Group', username: 'GroupAnonymousBot' },
    },
    { who: 'Telegram itself', from: { id: TELEGRAM_ITSELF, is_bot: false, first_name: 'Telegram' } },
    { who: 'a negative id', from: { id: -OPERATOR_ID, is_bot: false, first_name: 'Olivia' } },
  ])('by $who decides nothing, says so, and is written down', async ({ from }) => {
    const { approval, card } = await rig.shown();
    const id = await inject({ data: dataOf(card, 'Approve'), messageId: card.messageId, from });
    expect(await answerTo(id)).toMatch(/not an operator/i);
    expect(await rig.statusOf(approval)).toBe('pending');
    const refused = await rig.database.query(
      `select 1 from audit_log where type = 'access.unauthenticated' and actor = $1`,
      [`telegram:${from.id}`],
    );
    expect(refused).not.toEqual([]);
    expect(decisionsOf(await rig.chat.message(card.messageId))).toHaveLength(2);
  });

  it.each([GROUP, -1005])('security 3: on behalf of chat %d decides nothing', async (senderChat) => {
    const { approval, card } = await rig.shown();
    const response = await fetch(`${rig.sandbox.url}/sandbox/press`, {
      method: 'POST',
      body: JSON.stringify({
        chat: GROUP,
        messageId: card.messageId,
        button: 'Approve',
        user: OPERATOR_ID,
        senderChat,
      }),
    });
    expect(await response.json()).toMatchObject({ answer: { showAlert: true } });
    expect(await rig.statusOf(approval)).toBe('pending');
  });

  it('counts though its answer fails, and the card is edited', async () => {
    const { approval, card } = await rig.shown();
    await rig.chat.fault({ method: 'answerCallbackQuery', reset: 'before', count: ALWAYS });
    await rig.chat.change('limits', { callbackAnswerMs: 1 });
    await rig.chat.press(card.messageId, 'Approve');
    expect((await rig.closed(card)).text).toContain('Approved by Olivia (Telegram id 1)');
    expect(await rig.statusOf(approval)).toBe('approved');
  });

  it('whose answer stalls holds up neither its own edit nor the taps behind it', async () => {
    const first = await rig.shown();
    const second = await rig.shown();
    await rig.chat.fault({ method: 'answerCallbackQuery', delayMs: 2_500 });
    const slow = rig.chat.press(first.card.messageId, 'Approve');
    await rig.closed(first.card, 2_000);
    await rig.chat.press(second.card.messageId, 'Reject');
    expect(await rig.statusOf(second.approval)).toBe('rejected');
    await slow;
  });
});

describe('telegram.md 12: after a gap of more than 150 s between polls', () => {
  it('one notice tells from when to when, and every open card is brought to its true state', async () => {
    const { approval: pending } = await rig.shown();
    const { approval: settled, card } = await rig.shown();
    // As when it was settled while its outcome was lost.
    await rig.database.query(
      `update approvals set status = 'cancelled', settled_at = now(), settled_by_kind = 'system', settled_by_id = 't', settled_by_name = 't' where id = $1`,
      [settled.id],
    );
    const from = Date.now() - (GAP_SECONDS + 60) * 1000;
    const isNotice = ({ text }: ChatMessage): boolean => text.includes('Telegram was out of reach');
    const before = (await rig.chat.messages()).filter(isNotice).length;
    await rig.database.query(`update leases set data = $1 where name = 'telegram-poller'`, [String(from)]);
    await pollOnce();
    await rig.closed(card);
    const notices = await until('the notice', async () => {
      const found = (await rig.chat.messages()).filter(isNotice);
      return found.length > before && found;
    });
    const { text = '' } = notices.at(-1) ?? {};
    expect(text).toContain(new Date(from).toISOString().slice(0, 16).replace('T', ' '));
    expect(text).toMatch(/1 request waits for a decision/);
    // The next polls are in time.
    const counted = await lastPoll();
    await pollOnce();
    await until('another poll', async () => (await lastPoll()) > counted);
    await rig.worked();
    expect((await rig.chat.messages()).filter(isNotice)).toHaveLength(before + 1);
    expect(await rig.statusOf(pending)).toBe('pending');
  });

  it('and after a shorter one nobody is told', async () => {
    await rig.shown();
    const gaps = rig.events('telegram.gap').length;
    const before = Date.now() - (GAP_SECONDS - 20) * 1000;
    await rig.database.query(`update leases set data = $1 where name = 'telegram-poller'`, [String(before)]);
    await pollOnce();
    await until('a poll is counted', async () => (await lastPoll()) > before);
    await rig.worked();
    expect(rig.events('telegram.gap')).toHaveLength(gaps);
  });
});

describe('telegram.md 13: what a button carries', () => {
  it('is version, action and a nonce of 128 bits, another one for every card', async () => {
    const cards = [(await rig.shown()).card, (await rig.shown()).card];
    const nonces = cards.flatMap((card) =>
      card.buttons.flat().map(({ data }) => {
        expect(Buffer.byteLength(data)).toBeLessThanOrEqual(64);
        const tap = parseCallbackData(data) ?? parseGrantTap(data) ?? parseWordsTap(data);
        const nonce = tap && 'nonce' in tap ? tap.nonce : '';
        expect(Buffer.from(nonce, 'base64url')).toHaveLength(16);
        return nonce;
      }),
    );
    expect(new Set(nonces).size).toBe(2);
  });

  it('is bound to chat, message and request, and is of no use twice', async () => {
    const { approval, card } = await rig.shown();
    const { approval: other, card: otherCard } = await rig.shown();
    const data = dataOf(card, 'Approve');
    const elsewhere = [
      await inject({ data, messageId: card.messageId, chat: OTHER_GROUP }),
      await inject({ data, messageId: otherCard.messageId }),
      await inject({ data: `${data.slice(0, -4)}AAAA`, messageId: card.messageId }),
      await inject({ data: data.replace(/^1/, '2'), messageId: card.messageId }),
      await inject({ data: '', messageId: card.messageId }),
    ];
    for (const id of elsewhere.slice(0, 4)) expect(await answerTo(id)).toMatch(/not valid/);
    expect([await rig.statusOf(approval), await rig.statusOf(other)]).toEqual(['pending', 'pending']);
    await answerTo(await inject({ data, messageId: card.messageId }));
    expect(await rig.statusOf(approval)).toBe('approved');
    // Again, by the same operator: the same truth. The other button of the same card: too late.
    expect(await answerTo(await inject({ data, messageId: card.messageId }))).toMatch(/approved by you/i);
    const reject = await inject({ data: dataOf(card, 'Reject'), messageId: card.messageId });
    expect(await answerTo(reject)).toMatch(/already approved/i);
    expect(await endingsOf(approval)).toHaveLength(1);
  });
});

describe('telegram.md 19: a late tap', () => {
  it('is told the true outcome, and the card shows who, when and why, without buttons', async () => {
    const { approval, card } = await rig.shown();
    await rig.chat.fault({ method: 'editMessageText', status: 500, count: 3 });
    await rig.api.decide(approval.id, 'rejected', 'not on a Friday');
    const answer = await rig.chat.press(card.messageId, 'Approve');
    expect(answer).toMatchObject({ showAlert: true });
    expect(answer?.text).toMatch(/already rejected by bootstrap-operator/i);
    const { text } = await rig.closed(card);
    expect(text).toContain('Rejected');
    expect(text).toContain('bootstrap-operator');
    expect(text).toContain('not on a Friday');
    expect(text).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d/);
  });
});

describe('telegram.md 21: a card that cannot be delivered', () => {
  it('shows in health, metrics and log, and its request ends expired', async () => {
    await rig.chat.change('chats', { chat: GROUP, blocked: true });
    const approval = await rig.asked({ timeoutSeconds: 2 });
    const details = await until('health tells', async () => {
      const { body } = await rig.api.call<{ details: { telegram: { degraded?: boolean; reason?: string } } }>(
        null,
        'GET',
        '/health',
      );
      return body.details.telegram.degraded === true && body.details.telegram;
    });
    expect(details.reason).toMatch(/kicked/);
    expect(await (await fetch(`${rig.app.url}/metrics`)).text()).toMatch(/^telegram_service_health 0$/m);
    expect((await rig.api.get(approval.id, 30)).body.status).toBe('expired');
    expect(rig.events('telegram.unreachable').length).toBeGreaterThan(0);
    const told = rig.events('telegram.unreachable').length;
    await rig.chat.change('chats', { chat: GROUP, blocked: false });
    await rig.database.query(`update lanes set available_at = now()`);
    await rig.database.query(`update outbox_lanes set available_at = now()`);
    await rig.shown();
    await until(
      'it is in reach again',
      async () => /^telegram_service_health 1$/m.test(await (await fetch(`${rig.app.url}/metrics`)).text()),
      2 * STEADY_MS,
    );
    expect(rig.events('telegram.unreachable')).toHaveLength(told);
    expect(rig.app.rawLog.join('\n')).not.toContain(BOT_TOKEN.split(':')[1]);
  });
});
