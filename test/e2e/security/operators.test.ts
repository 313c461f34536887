import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import {
  callbackData,
  listCallbackData,
  newNonce,
  parseCallbackData,
  parseListTap,
} from '../../../src/channels/telegram/operators/callback-data';
import { parseConfig } from '../../../src/config/environment';
import { ConfigurationError } from '../../../src/config/faults';
import { freePort } from '../../support/processes';
import { Scrape } from '../../support/scrape';
import type { ChatMessage } from '../../support/sandbox-client';
import { TelegramRig } from '../../support/telegram-rig';
import { until } from '../../support/until';
import { BOT_TOKEN, CHAT_ID, OPERATOR_ID, STRANGER_ID, telegramEnvironment } from '../../support/well-known';

const SECRET = 'a-secret-of-the-webhook_0123456789';
const DECISIONS_PER_MINUTE = 30;
const BOT = { id: Number(BOT_TOKEN.split(':')[0]), is_bot: true, first_name: 'Countersign' };

let rig: TelegramRig;

beforeAll(async () => {
  const port = String(await freePort());
  rig = await TelegramRig.start({
    PORT: port,
    TELEGRAM_MODE: 'webhook',
    TELEGRAM_WEBHOOK_URL: `http://127.0.0.1:${port}/telegram/webhook`,
    TELEGRAM_WEBHOOK_SECRET: SECRET,
    RATE_LIMIT_OPERATOR_PER_MINUTE: String(DECISIONS_PER_MINUTE),
    APPROVAL_SWEEP_INTERVAL_SECONDS: '3600',
  });
  await until('the webhook is set', async () => (await rig.chat.calls('setWebhook')).length > 0);
});
afterAll(() => rig.close());

let updateId = 810_000_000;

interface Tap {
  readonly data: string;
  readonly from?: object;
  readonly chat?: number;
  readonly messageId?: number;
  readonly message?: object;
}

const tapOf = ({
  data,
  from = { id: OPERATOR_ID },
  chat = Number(CHAT_ID),
  messageId = 1,
  message = {},
}: Tap) => ({
  update_id: updateId++,
  callback_query: {
    id: String(updateId),
    from: { is_bot: false, first_name: 'Olivia', username: 'olivia', ...from },
    message: {
      message_id: messageId,
      from: BOT,
      chat: { id: chat, type: 'supergroup' },
      date: 0,
      text: '',
      ...message,
    },
    chat_instance: '1',
    data,
  },
});

const deliver = (update: unknown, secret: string | null = SECRET): Promise<Response> =>
  fetch(`${rig.app.url}/telegram/webhook`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(secret && { 'x-telegram-bot-api-secret-token': secret }),
    },
    body: JSON.stringify(update),
  });

const dataOf = (card: ChatMessage, button: string): string =>
  card.buttons.flat().find(({ text }) => text.includes(button))?.data ?? '';

const asSent = ({ text, data }: ChatMessage['buttons'][number][number]) => ({ text, callback_data: data });

/** Buttons of the message, as an update shows them. */
const keyboardOf = ({ buttons }: ChatMessage) => ({
  reply_markup: { inline_keyboard: buttons.map((row) => row.map(asSent)) },
});

const refusalsBy = (id: number) =>
  rig.database.query(`select 1 from audit_log where type = 'access.unauthenticated' and actor = $1`, [
    `telegram:${id}`,
  ]);

describe('security 1: only listed numeric ids decide', () => {
  it.each([
    ['another member of the group', { id: STRANGER_ID }],
    ['a member with the name of an operator', { id: 20, first_name: 'Olivia', username: 'olivia' }],
    ['an id that begins like that of an operator', { id: 11 }],
    ['a negative id', { id: -1 }],
    ['a bot', { id: 21, is_bot: true }],
    ['the anonymous admin', { id: 1_087_968_824 }],
    ['Telegram itself', { id: 777_000 }],
  ])('%s taps: an alert, still pending, audited', async (_who, from) => {
    const { approval, card } = await rig.shown();
    const before = (await refusalsBy(from.id)).length;
    const update = tapOf({ data: dataOf(card, 'Approve'), from, messageId: card.messageId });
    expect((await deliver(update)).status).toBe(200);
    expect(await rig.statusOf(approval)).toBe('pending');
    expect(await refusalsBy(from.id)).toHaveLength(before + 1);
    const answers = await rig.chat.calls('answerCallbackQuery');
    const answer = answers.find(({ params }) => params.callback_query_id === update.callback_query.id);
    expect(answer?.params.show_alert).toBe(true);
    expect(answer?.params.text).toMatch(/not an operator/);
  });

  it('an id in text is none that Telegram sends: the update is skipped, counted in the log, and decides nothing', async () => {
    const { approval, card } = await rig.shown();
    for (const id of [String(OPERATOR_ID), '1' + '0'.repeat(15)]) {
      const skipped = rig.events('telegram.update-unreadable').length;
      const tap = { data: dataOf(card, 'Approve'), from: { id }, messageId: card.messageId };
      expect((await deliver(tapOf(tap))).status).toBe(200);
      expect(rig.events('telegram.update-unreadable')).toHaveLength(skipped + 1);
      expect(await rig.statusOf(approval)).toBe('pending');
    }
  });

  it('a member who taps without end is told so each time, and is one row a minute', async () => {
    const TAPS = 50;
    const { approval, card } = await rig.shown();
    const tap = { data: dataOf(card, 'Approve'), from: { id: 23 }, messageId: card.messageId };
    const taps = Array.from({ length: TAPS }, () => tapOf(tap));
    for (const { status } of await Promise.all(taps.map((update) => deliver(update))))
      expect(status).toBe(200);
    expect(await rig.statusOf(approval)).toBe('pending');
    const rows = await refusalsBy(23);
    expect(rows.length).toBeGreaterThanOrEqual(1);
    // A minute may end meanwhile.
    expect(rows.length).toBeLessThanOrEqual(2);
    const metrics = new Scrape(await (await fetch(`${rig.app.url}/metrics`)).text());
    const counted = metrics.value('access_refusals_total', {
      reason: 'unauthenticated',
      channel: 'telegram',
    });
    expect(counted).toBeGreaterThanOrEqual(TAPS);
  });
});

it.each([
  [{}, /TELEGRAM_OPERATORS: required when TELEGRAM_BOT_TOKEN is set/],
  [{ TELEGRAM_OPERATORS: '' }, /TELEGRAM_OPERATORS: required/],
  [{ TELEGRAM_OPERATORS: ' , ' }, /TELEGRAM_OPERATORS: required/],
  [{ TELEGRAM_OPERATORS: '@olivia' }, /neither a numeric Telegram user id/],
  [{ TELEGRAM_OPERATORS: '-1001' }, /neither a numeric Telegram user id/],
  [{ TELEGRAM_OPERATORS: '1087968824' }, /shares among people/],
  [{ TELEGRAM_OPERATORS: '777000' }, /shares among people/],
])('security 2: empty operators means nobody: %j refuses to start', (operators, message) => {
  // Empty is unset, as compose files pass it.
  const environment = { ...telegramEnvironment('http://127.0.0.1:9'), TELEGRAM_OPERATORS: '' };
  const start = () => parseConfig({ ...environment, ...operators });
  expect(start).toThrow(ConfigurationError);
  expect(start).toThrow(message);
});

describe('security 3: messages sent as a chat or by anonymous admins never decide', () => {
  it.each([
    ['a channel', { id: 136_817_688 }, { sender_chat: { id: -1005, type: 'channel' } }],
    [
      'an anonymous admin',
      { id: 1_087_968_824, is_bot: true },
      { sender_chat: { id: Number(CHAT_ID), type: 'supergroup' } },
    ],
    ['a linked channel', { id: 777_000 }, { sender_chat: { id: -1005, type: 'channel' } }],
    [
      'an operator who writes as the group',
      { id: OPERATOR_ID },
      { sender_chat: { id: Number(CHAT_ID), type: 'supergroup' } },
    ],
  ])('a reply by %s gives no reason', async (_who, from, more) => {
    const { approval, card } = await rig.shown();
    await rig.api.decide(approval.id, 'rejected');
    const chat = { id: Number(CHAT_ID), type: 'supergroup', title: 'g' };
    const message = {
      message_id: 900_000 + updateId,
      date: 0,
      chat,
      from: { is_bot: false, first_name: 'x', ...from },
      text: 'because',
      reply_to_message: { message_id: card.messageId, date: 0, chat },
      ...more,
    };
    expect((await deliver({ update_id: updateId++, message })).status).toBe(200);
    expect((await rig.api.get(approval.id)).body.decision?.reason).toBeNull();
  });
});

describe('security 4: the webhook secret is mandatory', () => {
  it.each([
    ['none', null],
    ['an empty one', ''],
    ['a wrong one', 'x'.repeat(SECRET.length)],
    ['one that lacks its last character', SECRET.slice(0, -1)],
    ['one in other case', SECRET.toUpperCase()],
  ])('a tap with %s is 401 and decides nothing', async (_what, secret) => {
    const { approval, card } = await rig.shown();
    const update = tapOf({ data: dataOf(card, 'Approve'), messageId: card.messageId });
    expect((await deliver(update, secret)).status).toBe(401);
    expect(await rig.statusOf(approval)).toBe('pending');
  });

  it('attempts without it are on record, once a source and minute', async () => {
    const rows = await rig.database.query<{ data: string }>(
      `select data from audit_log where type = 'access.unauthenticated' and actor = 'ip:127.0.0.1'`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(1);
    expect(rows.length).toBeLessThanOrEqual(3);
    expect(JSON.parse(rows[0]?.data ?? '')).toEqual({ method: 'POST', route: '/telegram/webhook' });
  });

  it('without one configured there is no webhook mode', () => {
    const environment = { ...telegramEnvironment('http://127.0.0.1:9'), TELEGRAM_MODE: 'webhook' };
    expect(() => parseConfig(environment)).toThrow(
      /TELEGRAM_WEBHOOK_SECRET: required when TELEGRAM_MODE is webhook/,
    );
  });
});

describe('security 5: forged, replayed, reordered updates have no effect', () => {
  it('random tokens, a valid one in another chat or on another message: still pending', async () => {
    const { approval, card } = await rig.shown();
    const data = dataOf(card, 'Approve');
    const here = { data, messageId: card.messageId };
    const forged = [
      { ...here, chat: -1002 },
      { ...here, messageId: card.messageId + 1 },
      { ...here, data: callbackData({ verdict: 'approved', nonce: newNonce(), complete: true }) },
      { ...here, data: `1:a:${approval.id}` },
      { ...here, data: `${data} ` },
      { ...here, data: data.replace('1:a:', '2:a:') },
      { ...here, data: data.replace('1:a:', '1:A:') },
      { ...here, data: '' },
    ];
    for (const tap of forged) expect((await deliver(tapOf(tap))).status).toBe(200);
    expect(await rig.statusOf(approval)).toBe('pending');
  });

  it('an Approve made from the Reject of a card whose document never arrived: still pending', async () => {
    await rig.chat.fault({ method: 'sendDocument', status: 400 });
    const approval = await rig.asked({ toolInput: { command: 'x'.repeat(20_000) } });
    const card = await rig.chat.card(approval.id, 1);
    const reject = dataOf(card, 'Reject');
    expect(reject).toMatch(/^1:x:/);
    await deliver(tapOf({ data: reject.replace('1:x:', '1:a:'), messageId: card.messageId }));
    expect(await rig.statusOf(approval)).toBe('pending');
    await deliver(tapOf({ data: reject, messageId: card.messageId }));
    expect(await rig.statusOf(approval)).toBe('rejected');
  });

  it('a Reject that a client made of the Reject of another stage of the card decides nothing', async () => {
    const { approval: whole, card: complete } = await rig.shown();
    const made = dataOf(complete, 'Reject').replace('1:r:', '1:x:');
    await deliver(tapOf({ data: made, messageId: complete.messageId }));
    expect(await rig.statusOf(whole)).toBe('pending');

    await rig.chat.fault({ method: 'sendDocument', status: 400 });
    const approval = await rig.asked({ toolInput: { command: 'x'.repeat(20_000) } });
    const card = await rig.chat.card(approval.id, 1);
    const reject = dataOf(card, 'Reject');
    const forged = reject.replace('1:x:', '1:r:');
    await deliver(tapOf({ data: forged, messageId: card.messageId }));
    // The document is in the chat, and the card does not show the buttons that follow it yet.
    await rig.database.query(
      `update cards set document_message_id = 1, document_sha256 = repeat('0', 64) where approval_id = $1`,
      [approval.id],
    );
    await deliver(tapOf({ data: forged, messageId: card.messageId, message: keyboardOf(card) }));
    expect(await rig.statusOf(approval)).toBe('pending');
    await deliver(tapOf({ data: reject, messageId: card.messageId, message: keyboardOf(card) }));
    expect(await rig.statusOf(approval)).toBe('rejected');
    const [, payload = ''] = String((await rig.api.get(approval.id)).body.receipt).split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { displayDigest: string };
    expect(claims.displayDigest).toBe(`sha256:${createHash('sha256').update(card.text).digest('hex')}`);
  });

  it('a card whose send was never answered is found only by a tap on the message that has its button', async () => {
    const { approval, card } = await rig.shown();
    const { card: other } = await rig.shown();
    await rig.database.query('update cards set message_id = null, sent_at = null where approval_id = $1', [
      approval.id,
    ]);
    const data = dataOf(card, 'Approve');
    const elsewhere = [
      { messageId: other.messageId, message: keyboardOf(other) },
      { messageId: other.messageId },
      { messageId: card.messageId, message: { ...keyboardOf(card), from: { ...BOT, id: BOT.id + 1 } } },
    ];
    for (const where of elsewhere) await deliver(tapOf({ data, ...where }));
    expect(await rig.statusOf(approval)).toBe('pending');
    await deliver(tapOf({ data, messageId: card.messageId, message: keyboardOf(card) }));
    expect(await rig.statusOf(approval)).toBe('approved');
    await rig.closed(card);
    expect((await rig.chat.message(other.messageId)).edits).toBe(0);
  });

  it('a button of the list on a card, where none is: the card stays as it is', async () => {
    const { approval, card } = await rig.shown();
    const data = listCallbackData({ kind: 'page', beforeId: approval.id, isMine: false });
    await deliver(tapOf({ data, messageId: card.messageId, message: keyboardOf(card) }));
    const answers = await rig.chat.calls('answerCallbackQuery');
    expect(answers.at(-1)?.params.text).toMatch(/not valid/);
    await deliver(tapOf({ data: dataOf(card, 'Approve'), messageId: card.messageId }));
    await rig.closed(card);
    const edits = (await rig.calls('editMessageText')).map(({ params }) => params.message_id);
    expect(edits.filter((id) => Number(id) === card.messageId)).toHaveLength(1);
  });

  it('an operator who taps what is on no message of ours is not told to be none', async () => {
    const { card } = await rig.shown();
    const tap = tapOf({ data: dataOf(card, 'Approve') });
    const inline = { ...tap.callback_query, message: undefined, inline_message_id: 'x' };
    await deliver({ ...tap, callback_query: inline });
    const answers = await rig.chat.calls('answerCallbackQuery');
    expect(answers.at(-1)?.params.text).toMatch(/not valid/);
  });

  it('a tap that fails here is answered, and counts once it works', async () => {
    const { approval, card } = await rig.shown();
    const tap = () => deliver(tapOf({ data: dataOf(card, 'Approve'), messageId: card.messageId }));
    await rig.database.query('alter table cards rename to cards_away');
    await tap();
    await rig.database.query('alter table cards_away rename to cards');
    const answers = await rig.chat.calls('answerCallbackQuery');
    expect(answers.at(-1)?.params.text).toMatch(/failed here/);
    await tap();
    expect(await rig.statusOf(approval)).toBe('approved');
  });

  it('the same update twice, and its opposite after it: the first counts', async () => {
    const { approval, card } = await rig.shown();
    const update = tapOf({ data: dataOf(card, 'Reject'), messageId: card.messageId });
    const opposite = tapOf({ data: dataOf(card, 'Approve'), messageId: card.messageId });
    for (const each of [update, update, opposite, { ...opposite, update_id: 1 }, update]) await deliver(each);
    expect(await rig.statusOf(approval)).toBe('rejected');
    const rows = await rig.database.query(
      `select 1 from audit_log where approval_id = $1 and type <> 'approval.enqueued' and type not like '%-refused'`,
      [approval.id],
    );
    expect(rows).toHaveLength(1);
  });

  it('callback tokens: what is made is understood, at most 64 bytes, and nothing else is', () => {
    const buttons = fc.constantFrom(
      { verdict: 'approved', complete: true } as const,
      { verdict: 'rejected', complete: true } as const,
      { verdict: 'rejected', complete: false } as const,
    );
    fc.assert(
      fc.property(buttons, (button) => {
        const tap = { ...button, nonce: newNonce() };
        const data = callbackData(tap);
        expect(Buffer.byteLength(data)).toBeLessThanOrEqual(64);
        expect(parseCallbackData(data)).toEqual(tap);
        expect(parseListTap(data)).toBeNull();
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (data) => {
        const tap = parseCallbackData(data);
        if (tap !== null) expect(callbackData(tap)).toBe(data);
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(
        buttons,
        fc.nat(25),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }),
        (button, at, put) => {
          const data = callbackData({ ...button, nonce: newNonce() });
          const tap = parseCallbackData(data.slice(0, at) + put + data.slice(at));
          expect(tap).toBeNull();
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('callback tokens do not repeat', () => {
    expect(new Set(Array.from({ length: 10_000 }, newNonce)).size).toBe(10_000);
  });
});

describe('security 7: expired never approves', () => {
  it.each(['1 millisecond', '1 hour'])('a tap %s after expiry, the sweeper stopped', async (late) => {
    const { approval, card } = await rig.shown();
    await rig.database.query(
      `update approvals set created_at = created_at - interval '2 hours',
         expires_at = date_trunc('milliseconds', now()) - $2::interval where id = $1`,
      [approval.id, late],
    );
    await deliver(tapOf({ data: dataOf(card, 'Approve'), messageId: card.messageId }));
    expect(await rig.statusOf(approval)).toBe('expired');
    const decided = await rig.api.decide(approval.id, 'approved');
    expect([decided.status, (decided.body.approval as { status: string }).status]).toEqual([409, 'expired']);
  });
});

it('security 17: decisions are bounded per operator in Telegram too: an alert, and nothing is decided', async () => {
  const { approval, card } = await rig.shown();
  // Taps on what is decided already count as well: what is bounded is the attempts.
  const { card: other } = await rig.shown();
  const answered: unknown[] = [];
  for (let n = 0; n <= DECISIONS_PER_MINUTE; n++)
    await deliver(tapOf({ data: dataOf(other, 'Reject'), messageId: other.messageId }));
  await deliver(tapOf({ data: dataOf(card, 'Approve'), messageId: card.messageId }));
  for (const { params } of await rig.chat.calls('answerCallbackQuery')) answered.push(params.text);
  expect(answered.at(-1)).toMatch(/^⏳ Too many decisions\. Nothing was decided; tap again in \d+ s\.$/);
  expect(await rig.statusOf(approval)).toBe('pending');
  expect(rig.app.rawLog.join('\n')).not.toContain(BOT_TOKEN.split(':')[1]);
});

it('security 17: what the bot answers to one operator takes a quarter of the minute of the group; cards come all the same', async () => {
  const GROUP_PER_MINUTE = 20;
  const asker = 3;
  await rig.restart({
    TELEGRAM_BUDGET_GROUP_PER_MINUTE: String(GROUP_PER_MINUTE),
    TELEGRAM_OPERATORS: `${OPERATOR_ID}:Olivia,${asker}:Paul`,
  });
  await rig.wipe();
  await rig.database.query('delete from send_slots');
  const { approval: shown } = await rig.shown();
  const say = (text: string) =>
    deliver({
      update_id: updateId++,
      message: {
        message_id: 950_000 + updateId,
        date: 0,
        chat: { id: Number(CHAT_ID), type: 'supergroup', title: 'g' },
        from: { id: asker, is_bot: false, first_name: 'Paul' },
        text,
        entities: [{ type: 'bot_command', offset: 0, length: text.length }],
      },
    });
  const before = (await rig.calls('sendMessage')).length;
  const answers = async () => (await rig.calls('sendMessage')).length - before;
  for (let n = 1; n <= GROUP_PER_MINUTE; n++) {
    await say(n % 2 ? '/pending' : '/start');
    const due = Math.min(n, GROUP_PER_MINUTE / 4);
    await until('an answer within the limit is sent', async () => (await answers()) >= due);
  }
  const list = { data: listCallbackData({ kind: 'page', beforeId: shown.id, isMine: true }) };
  const page = { inline_keyboard: [[{ text: 'Next', callback_data: list.data }]] };
  await deliver(tapOf({ ...list, from: { id: asker }, messageId: 940_000, message: { reply_markup: page } }));
  expect((await rig.chat.calls('answerCallbackQuery')).at(-1)?.params.text).toMatch(/Too many questions/);
  // Another card, and the decision on it, have their room.
  const { approval, card: next } = await rig.shown();
  await deliver(tapOf({ data: dataOf(next, 'Approve'), messageId: next.messageId }));
  expect(await rig.statusOf(approval)).toBe('approved');
  await rig.closed(next);
  expect(await answers()).toBe(GROUP_PER_MINUTE / 4 + 1);
  const rows = await rig.database.query(
    `select 1 from audit_log where type = 'access.rate-limited' and actor = $1`,
    [`telegram:${asker}`],
  );
  // A minute may end meanwhile.
  for (const seen of [rows, rig.events('telegram.replies-limited')]) {
    expect(seen.length).toBeGreaterThanOrEqual(1);
    expect(seen.length).toBeLessThanOrEqual(2);
  }
});
