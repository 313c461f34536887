import { createHash } from 'node:crypto';
import { shortId } from '../../src/cards/short-id';
import { buttonsOf, decisionsOf } from '../support/sandbox-client';
import { ALWAYS, TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { BOT_TOKEN, CHAT_ID } from '../support/well-known';

const OTHER_CHAT = -1002;
const UNAVAILABLE_STATUSES = [500, 502, 503, 504];

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start();
});
afterAll(() => rig.close());
beforeEach(() => rig.wipe());

/** Interval at which the worker polls the outbox without a notification. */
const POLL_MS = 1_000;

/** Keeps timers of this length from ending until they are released: what waits for them waits. */
function holdTimersOf(ms: number): { release(): void } {
  const start = setTimeout;
  const heldBack: (() => void)[] = [];
  const spy = jest.spyOn(globalThis, 'setTimeout').mockImplementation((...args: Parameters<typeof start>) => {
    if (args[1] !== ms) return start(...args);
    heldBack.push(args[0]);
    return start(() => undefined, 0);
  });
  return {
    release: () => {
      spy.mockRestore();
      for (const end of heldBack) end();
    },
  };
}

const gaps = (calls: readonly { atMs: number }[]): number[] =>
  calls.slice(1).map(({ atMs }, before) => atMs - (calls[before]?.atMs ?? NaN));

describe('telegram.md 5: a call that failed', () => {
  it('with 429 is not repeated before retry_after, and within the call up to 5 s', async () => {
    await rig.chat.fault({ method: 'sendMessage', status: 429, retryAfter: 3 });
    const approval = await rig.asked();
    await rig.chat.card(approval.id);
    await rig.worked(approval);
    const calls = await rig.calls('sendMessage');
    expect(calls.map(({ status }) => status)).toEqual([429, 200]);
    expect(gaps(calls)[0]).toBeGreaterThanOrEqual(3000);
    // It was waited in the call: the lease was taken once, and no lane paused.
    expect(await rig.database.query('select 1 from outbox_lanes where failures > 0')).toEqual([]);
  });

  it('with 429 and a longer wait goes back to the outbox, and its whole chat pauses for exactly that', async () => {
    await rig.chat.fault({ method: 'sendMessage', status: 429, retryAfter: 10_000 });
    const first = await rig.asked();
    const [lane] = await until('the lane pauses', async () => {
      const rows = await rig.database.query<{ seconds: number }>(
        `select extract(epoch from available_at - now())::float8 as seconds from lanes where chat_id = $1`,
        [CHAT_ID],
      );
      return rows.length > 0 && rows;
    });
    expect(lane?.seconds).toBeGreaterThan(9_900);
    expect(lane?.seconds).toBeLessThanOrEqual(10_000);
    const second = await rig.asked();
    // Nothing of this chat is tried, while another chat is served.
    await rig.database.query(`update outbox set chat_id = $2 where approval_id = $1`, [
      second.id,
      OTHER_CHAT,
    ]);
    await rig.worked(second);
    expect(await rig.calls('sendMessage')).toHaveLength(1);
    expect(await rig.calls('sendMessage', OTHER_CHAT)).toHaveLength(1);
    expect(await rig.outboxOf(first)).toMatchObject([{ kind: 'card', dead: false }]);

    await rig.database.query(`update lanes set available_at = now()`);
    await rig.chat.card(first.id);
    expect(await rig.calls('sendMessage')).toHaveLength(2);
  });

  it.each([...UNAVAILABLE_STATUSES.map((status) => ({ status })), { status: 502, body: 'html' }])(
    'with %j is repeated with growing waits',
    async (fault) => {
      await rig.chat.fault({ method: 'sendMessage', count: 3, ...fault });
      const approval = await rig.asked();
      await rig.chat.card(approval.id);
      await rig.worked(approval);
      const calls = await rig.calls('sendMessage');
      expect(calls.map(({ status }) => status)).toEqual([fault.status, fault.status, fault.status, 200]);
      const [first = 0, second = 0, third = 0] = gaps(calls);
      expect(first).toBeGreaterThanOrEqual(19);
      expect(second).toBeGreaterThanOrEqual(39);
      expect(third).toBeGreaterThanOrEqual(79);
      expect(await rig.chat.cardsOf(approval.id)).toHaveLength(1);
    },
  );

  it.each([
    { status: 400, description: 'Bad Request: message text is empty', dead: true },
    { status: 413, description: 'Request Entity Too Large', dead: true },
  ])('with $status is never repeated by itself', async ({ status, description, dead }) => {
    await rig.chat.fault({ method: 'sendMessage', status, description });
    const approval = await rig.asked();
    await until('it was given up', async () => (await rig.outboxOf(approval))[0]?.dead === dead);
    // Work that was asked for later is done: nothing waits behind it.
    const { approval: later } = await rig.shown();
    expect(await rig.calls('sendMessage')).toHaveLength(2);
    expect(await rig.outboxOf(approval)).toMatchObject([
      { kind: 'card', attempts: 1, last_error: `sendMessage: ${description}` },
    ]);
    expect(await rig.statusOf(approval)).toBe('pending');
    expect(later.id).not.toBe(approval.id);
    expect(rig.events('escalation.dead').filter((line) => line.approvalId === approval.id)).toHaveLength(1);
  });
});

describe('telegram.md 6: a send whose outcome is unknown', () => {
  it.each([
    { fault: { reset: 'after' }, arrives: true },
    { fault: { body: 'truncated' }, arrives: true },
    { fault: { body: 'empty' }, arrives: true },
    { fault: { reset: 'before' }, arrives: false },
  ])('$fault is marked and resent once', async ({ fault, arrives }) => {
    await rig.chat.fault({ method: 'sendMessage', ...fault });
    const approval = await rig.asked();
    await rig.worked(approval);
    const copies = await rig.chat.cardsOf(approval.id);
    expect(copies).toHaveLength(arrives ? 2 : 1);
    expect(await rig.calls('sendMessage')).toHaveLength(2);
    const rows = await rig.database.query<{ lost: boolean }>(
      `select message_id is null and sending_at is not null as lost from cards where approval_id = $1 order by id`,
      [approval.id],
    );
    expect(rows).toEqual([{ lost: true }, { lost: false }]);
  });

  it.each(['first', 'second'] as const)(
    'makes two copies, and a tap on the %s counts once and closes both',
    async (which) => {
      await rig.chat.fault({ method: 'sendMessage', reset: 'after' });
      const approval = await rig.asked();
      await rig.worked(approval);
      const copies = await rig.chat.cardsOf(approval.id);
      expect(copies).toHaveLength(2);
      const [tapped, other] = which === 'first' ? copies : [...copies].reverse();
      if (!tapped || !other) throw new Error('two copies');
      expect((await rig.chat.press(tapped.messageId, 'Approve'))?.showAlert).toBe(false);
      await rig.closed(tapped);
      if (which === 'second') {
        // Where the first one stands is not known before somebody taps it; who does is told the truth.
        expect((await rig.chat.press(other.messageId, 'Reject'))?.text).toMatch(/already approved/i);
      }
      await rig.closed(other);
      const rows = await rig.database.query(
        `select type from audit_log where approval_id = $1 and type <> 'approval.enqueued' and type not like '%-refused'`,
        [approval.id],
      );
      expect(rows).toEqual([{ type: 'approval.approved' }]);
    },
  );

  it('is not resent a second time: then it is a dead letter that somebody can replay', async () => {
    await rig.chat.fault({ method: 'sendMessage', reset: 'after', count: 2 });
    const approval = await rig.asked();
    await rig.dead(approval);
    expect(await rig.chat.cardsOf(approval.id)).toHaveLength(2);
    expect(await rig.calls('sendMessage')).toHaveLength(2);
    // Both copies work all the same.
    const [copy] = await rig.chat.cardsOf(approval.id);
    await rig.chat.press(copy?.messageId ?? 0, 'Reject');
    expect(await rig.statusOf(approval)).toBe('rejected');
  });

  it('of a document is resent once as well; then the request is a dead letter, and can still be rejected', async () => {
    await rig.chat.fault({ method: 'sendDocument', reset: 'after', count: ALWAYS });
    const approval = await rig.asked({ toolInput: { command: 'x'.repeat(20_000) } });
    await rig.dead(approval);
    expect(await rig.calls('sendDocument')).toHaveLength(2);
    const [card] = await rig.chat.cardsOf(approval.id);
    expect(card && buttonsOf(card).join()).toMatch(/^\S* ?Reject$/);
    await rig.chat.press(card?.messageId ?? 0, 'Reject');
    expect(await rig.statusOf(approval)).toBe('rejected');
  });

  it('a stop that ends the wait between two attempts leaves no doubt: nothing was on its way', async () => {
    await rig.restart({ TELEGRAM_RETRY_INITIAL_DELAY_MS: '60000', TELEGRAM_RETRY_MAX_DELAY_MS: '60000' });
    await rig.chat.fault({ method: 'sendMessage', status: 503 });
    const approval = await rig.asked();
    await until('it waits', () => rig.events('telegram.retry').length > 0);
    await rig.restart();
    await rig.worked(approval);
    expect(await rig.chat.cardsOf(approval.id)).toHaveLength(1);
    const rows = await rig.database.query(`select 1 from cards where approval_id = $1`, [approval.id]);
    expect(rows).toHaveLength(1);
  });

  it('of an edit is simply repeated: done twice it shows once', async () => {
    const { approval, card } = await rig.shown();
    await rig.chat.fault({ method: 'editMessageText', reset: 'after' });
    await rig.api.decide(approval.id, 'approved');
    await rig.closed(card);
    await rig.worked(approval);
    expect((await rig.chat.message(card.messageId)).edits).toBe(1);
    expect((await rig.breaker()).state).toBe('closed');
  });
});

describe('telegram.md 4: a call', () => {
  it('whose answer stalls is given up after 10 s, and the work goes on', async () => {
    const { approval, card } = await rig.shown();
    await rig.chat.fault({ method: 'editMessageText', body: 'stall' });
    await rig.api.decide(approval.id, 'rejected');
    await until('it was given up', () =>
      rig.events('telegram.call').some((l) => l.method === 'editMessageText' && l.reason === 'timeout'),
    );
    const stalled = rig.events('telegram.call').find((l) => l.reason === 'timeout');
    expect(stalled?.durationMs).toBeGreaterThanOrEqual(9_900);
    await rig.closed(card);
  });

  it('tells in metrics how it ended, attempt by attempt', async () => {
    const count = async (line: RegExp): Promise<number> => {
      const text = await (await fetch(`${rig.app.url}/metrics`)).text();
      return Number(line.exec(text)?.[1] ?? 0);
    };
    const total = /^telegram_api_requests_total\{method="sendMessage"\} (\d+)$/m;
    const failed = /^telegram_api_failures_total\{method="sendMessage",reason="server-error"\} (\d+)$/m;
    const before = [await count(total), await count(failed)];
    await rig.chat.fault({ method: 'sendMessage', status: 503, count: 2 });
    await rig.shown();
    expect([await count(total), await count(failed)]).toEqual([(before[0] ?? 0) + 3, (before[1] ?? 0) + 2]);
  });

  it('answering a tap is tried once, and outside of the send budget', async () => {
    const { approval, card } = await rig.shown();
    await rig.chat.fault({ method: 'answerCallbackQuery', status: 500, count: ALWAYS });
    await rig.chat.change('limits', { callbackAnswerMs: 1 });
    await rig.chat.press(card.messageId, 'Approve');
    await rig.closed(card);
    expect(await rig.statusOf(approval)).toBe('approved');
    const taps = await until('the answer was tried', async () => {
      const calls = await rig.chat.calls('answerCallbackQuery');
      return calls.length > 0 && calls;
    });
    expect(taps).toHaveLength(1);
  });

  it('never lets the token out, whatever the Bot API answers', async () => {
    const secret = BOT_TOKEN.split(':')[1] ?? '';
    for (const fault of [
      { body: 'html' },
      { body: 'truncated' },
      { body: 'empty' },
      { reset: 'before' },
      { status: 404 },
      { status: 400, description: `Bad Request: no such bot${BOT_TOKEN}` },
    ]) {
      await rig.chat.fault({ method: 'editMessageText', ...fault });
      const { approval, card } = await rig.shown();
      await rig.api.decide(approval.id, 'approved');
      await until('it failed', async () => (await rig.chat.calls('editMessageText')).length > 0 && card);
      await rig.wipe();
    }
    const places = [
      rig.app.rawLog.join('\n'),
      JSON.stringify(await rig.database.query('select * from outbox')),
      JSON.stringify((await rig.api.call('operator', 'GET', '/api/diagnostics/telegram')).body),
      await (await fetch(`${rig.app.url}/metrics`)).text(),
      JSON.stringify((await rig.api.call(null, 'GET', '/health')).body),
    ];
    for (const place of places) expect(place).not.toContain(secret);
    expect(places[0]).toContain('editMessageText');
  });
});

describe('telegram.md 7: the breaker', () => {
  it.each([
    { fault: { status: 429, retryAfter: 1 }, counted: 0 },
    { fault: { status: 400, description: 'Bad Request: no' }, counted: 0 },
    { fault: { status: 403 }, counted: 0 },
    { fault: { status: 409 }, counted: 0 },
    { fault: { status: 500 }, counted: 1 },
    { fault: { reset: 'before' }, counted: 1 },
    { fault: { body: 'truncated' }, counted: 1 },
  ])('counts $fault $counted times', async ({ fault, counted }) => {
    const { approval } = await rig.shown();
    await rig.worked();
    const before = await rig.breaker();
    await rig.chat.fault({ method: 'editMessageText', ...fault });
    await rig.api.decide(approval.id, 'approved');
    const after = await until('it was judged', async () => {
      const now = await rig.breaker();
      const judged = now.totalFailures + now.totalSuccesses;
      return judged > before.totalFailures + before.totalSuccesses && now;
    });
    expect(after.totalFailures - before.totalFailures).toBe(counted);
  });

  it('open: the outbox keeps everything, getMe and not a card tries the way, taps still arrive; then all goes out', async () => {
    const { approval: tapped, card } = await rig.shown();
    await rig.chat.fault({ method: 'sendMessage', status: 500, count: ALWAYS });
    for (const method of ['getMe', 'getChat']) await rig.chat.fault({ method, status: 500, count: ALWAYS });
    const kept = [await rig.asked(), await rig.asked(), await rig.asked()];
    await until('the circuit opens', async () => (await rig.breaker()).state === 'open');
    const probed = async (times: number) => (await rig.chat.calls('getMe')).length >= times;
    const probes = (await rig.chat.calls('getMe')).length;
    // By the first probe, what was under way when the circuit opened has ended.
    await until('it was probed', () => probed(probes + 1));
    const sends = (await rig.calls('sendMessage')).length;
    await until('it was probed twice more', () => probed(probes + 3));
    expect(await rig.calls('sendMessage')).toHaveLength(sends);
    expect(
      await rig.database.query(`select 1 from outbox where kind = 'card' and dead_at is null`),
    ).toHaveLength(3);

    // getUpdates goes past the breaker: a tap decides, though it cannot be answered.
    await rig.chat.change('limits', { callbackAnswerMs: 1 });
    await rig.chat.press(card.messageId, 'Approve');
    await until('the tap counted', async () => (await rig.statusOf(tapped)) === 'approved');
    // Pending requests stay decidable through the API.
    expect((await rig.api.decide(kept[2]?.id ?? '', 'rejected')).status).toBe(200);

    await rig.chat.clearFaults();
    await rig.closed(card);
    for (const { id } of kept.slice(0, 2)) await rig.chat.card(id);
    await rig.worked();
    expect((await rig.breaker()).state).toBe('closed');
    // The third was settled before anybody saw it: there is nothing left to ask.
    expect(await rig.chat.cardsOf(kept[2]?.id ?? '')).toEqual([]);
  });
});

describe('telegram.md 8: lanes', () => {
  it('one dead chat blocks no other, and is served when it lives again', async () => {
    await rig.chat.change('chats', { chat: OTHER_CHAT, blocked: true });
    const dead = await rig.asked();
    await rig.database.query(
      `update outbox set chat_id = $2, available_at = now(), lease_token = lease_token + 1 where approval_id = $1`,
      [dead.id, OTHER_CHAT],
    );
    for (let n = 0; n < 3; n++) await rig.shown();
    expect(await rig.outboxOf(dead)).toMatchObject([{ chat_id: String(OTHER_CHAT), dead: false }]);
    await rig.chat.change('chats', { chat: OTHER_CHAT, blocked: false });
    await until('it is served', async () => (await rig.chat.messages(OTHER_CHAT)).length > 0);
  });

  it('messages reach a chat in the order of the asking, even when one of them takes long', async () => {
    await rig.chat.fault({ method: 'sendMessage', delayMs: 300, count: 1 });
    const asked = [await rig.asked(), await rig.asked(), await rig.asked()];
    const places = [];
    for (const { id } of asked) places.push((await rig.chat.card(id)).messageId);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  it('a chat that pauses does not delay what is new in another', async () => {
    await rig.database.query(
      `insert into outbox (kind, chat_id, urgency, created_at, available_at, data) values ('notice', $1, -1, now(), now(), '{}')`,
      [OTHER_CHAT],
    );
    await rig.database.query(
      `insert into lanes (chat_id, failures, available_at) values ($1, 1, now() + interval '1 hour')
       on conflict (chat_id) do update set available_at = excluded.available_at`,
      [OTHER_CHAT],
    );
    const poll = holdTimersOf(POLL_MS);
    try {
      for (let n = 0; n < 5; n++) await rig.shown();
    } finally {
      poll.release();
    }
    await rig.database.query(`delete from outbox where chat_id = $1`, [OTHER_CHAT]);
  });

  it('an outcome that cannot be shown in a chat left behind holds up neither the other copy nor its chat', async () => {
    const { approval, card } = await rig.shown();
    await rig.database.query(
      `insert into cards (approval_id, chat_id, nonce, message_id, created_at, sending_at, sent_at)
       select approval_id, $2, 'left behind ' || id, 1, now(), now(), now() from cards where approval_id = $1`,
      [approval.id, OTHER_CHAT],
    );
    // Older than the copy that lives.
    await rig.database.query(`update cards set id = default where approval_id = $1 and chat_id = $2`, [
      approval.id,
      CHAT_ID,
    ]);
    await rig.chat.change('chats', { chat: OTHER_CHAT, blocked: true });
    await rig.api.decide(approval.id, 'approved');
    await rig.closed(card);
    for (let n = 0; n < 3; n++) await rig.shown();
    const lanes = await rig.database.query(`select 1 from outbox_lanes where lane = $1 and failures > 0`, [
      `telegram:${CHAT_ID}`,
    ]);
    expect(lanes).toEqual([]);
    await rig.chat.change('chats', { chat: OTHER_CHAT, blocked: false });
    await rig.database.query(`update outbox_lanes set available_at = now()`);
    await rig.worked(approval);
  });
});

describe('telegram.md 9: edits', () => {
  it('that find there already what they bring are done', async () => {
    const { approval, card } = await rig.shown();
    await rig.api.decide(approval.id, 'approved');
    await rig.closed(card);
    await rig.worked(approval);
    const failures = (await rig.breaker()).totalFailures;
    await rig.database.query(
      `insert into outbox (approval_id, kind, chat_id, urgency, created_at, available_at)
       values ($1, 'outcome', $2, 1, now(), now())`,
      [approval.id, CHAT_ID],
    );
    await rig.worked(approval);
    expect((await rig.calls('editMessageText')).map(({ status }) => status)).toEqual([200, 400]);
    expect((await rig.breaker()).totalFailures).toBe(failures);
    expect(rig.events('escalation.dead').filter((line) => line.approvalId === approval.id)).toEqual([]);
  });

  it('of a message that somebody deleted are done', async () => {
    const { approval, card } = await rig.shown();
    const response = await fetch(
      `${rig.sandbox.url}/bot${BOT_TOKEN}/deleteMessage?chat_id=${CHAT_ID}&message_id=${card.messageId}`,
    );
    expect(response.status).toBe(200);
    await rig.api.decide(approval.id, 'approved');
    await rig.worked(approval);
    expect((await rig.calls('editMessageText')).map(({ status }) => status)).toEqual([400]);
    const rows = await rig.database.query<{ closed: boolean }>(
      `select closed_at is not null as closed from cards where approval_id = $1`,
      [approval.id],
    );
    expect(rows).toEqual([{ closed: true }]);
    expect(rig.events('telegram.message-gone').at(-1)).toMatchObject({ messageId: String(card.messageId) });
  });
});

describe('telegram.md 14: HTML that Telegram refuses', () => {
  const refusal = { status: 400, description: "Bad Request: can't parse entities: Unsupported start tag" };

  it('is sent once more as plain text, with its buttons, which work', async () => {
    await rig.chat.fault({ method: 'sendMessage', ...refusal });
    const { approval, card } = await rig.shown({ toolInput: { command: 'echo "<b>&amp;</b>"' } });
    const calls = await rig.calls('sendMessage');
    expect(calls.map(({ params }) => params.parse_mode)).toEqual(['HTML', undefined]);
    expect(card.text).toContain('echo "<b>&amp;</b>"');
    expect(decisionsOf(card)).toHaveLength(2);
    await rig.chat.press(card.messageId, 'Approve');
    expect(await rig.statusOf(approval)).toBe('approved');
    // What was signed is what the Bot API holds, in this form too.
    const { body } = await rig.api.get(approval.id);
    const [, payload = ''] = String(body.receipt).split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { displayDigest: string };
    const held = createHash('sha256').update(card.text).digest('hex');
    expect(claims.displayDigest).toBe(`sha256:${held}`);
    expect(rig.events('telegram.html-refused')).not.toEqual([]);
  });

  it('frames every line of the action in it, so that none passes for a field of the card', async () => {
    await rig.chat.fault({ method: 'sendMessage', ...refusal });
    const command = 'true\nAgent: trusted\nRequest: 00000000';
    const { approval, card } = await rig.shown({ toolInput: { command } });
    expect(card.text).toContain('│ true\n│ Agent: trusted\n│ Request: 00000000');
    expect(card.text.split('\n').filter((line) => line.startsWith('Request: '))).toHaveLength(1);
    await rig.chat.press(card.messageId, 'Approve');
    const { body } = await rig.api.get(approval.id);
    const [, payload = ''] = String(body.receipt).split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { displayDigest: string };
    expect(claims.displayDigest).toBe(`sha256:${createHash('sha256').update(card.text).digest('hex')}`);
  });

  it('of an incomplete card likewise: what a Reject on it signs is what the chat holds', async () => {
    await rig.chat.fault({ method: 'sendDocument', status: 500, count: ALWAYS });
    await rig.chat.fault({ method: 'sendMessage', ...refusal });
    const approval = await rig.asked({ toolInput: { command: 'x\n'.repeat(10_000) } });
    const card = await rig.chat.card(approval.id, 1);
    expect(card.text).toContain('│ ');
    await rig.chat.press(card.messageId, 'Reject');
    const { body } = await rig.api.get(approval.id);
    const [, payload = ''] = String(body.receipt).split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { displayDigest: string };
    expect(claims.displayDigest).toBe(`sha256:${createHash('sha256').update(card.text).digest('hex')}`);
  });

  it('on an edit likewise', async () => {
    const { approval, card } = await rig.shown();
    await rig.chat.fault({ method: 'editMessageText', ...refusal });
    await rig.api.decide(approval.id, 'approved');
    expect((await rig.closed(card)).text).toContain('Approved');
    const edits = (await rig.calls('editMessageText')).filter(
      ({ params }) => params.message_id === card.messageId,
    );
    expect(edits.map(({ params }) => params.parse_mode)).toEqual(['HTML', undefined]);
  });

  it('and refuses as plain text too, is a dead letter and nothing else', async () => {
    await rig.chat.fault({ method: 'sendMessage', ...refusal, count: 2 });
    const approval = await rig.asked();
    await rig.dead(approval);
    expect(await rig.calls('sendMessage')).toHaveLength(2);
  });

  it('in the caption of a document does not keep the document, and so Approve, from appearing', async () => {
    await rig.chat.fault({ method: 'sendDocument', ...refusal });
    const approval = await rig.asked({ toolInput: { command: 'x'.repeat(9000) } });
    const card = await rig.chat.card(approval.id, 2);
    expect(decisionsOf(card)).toHaveLength(2);
    expect((await rig.calls('sendDocument')).map(({ params }) => params.parse_mode)).toEqual([
      'HTML',
      undefined,
    ]);
  });
});

describe('telegram.md 14: a Bot API server that does not know', () => {
  const formatsOf = async (method: string) =>
    (await rig.calls(method)).map(({ status, params }) => ({
      status,
      mode: params.parse_mode,
      time: String(params.text).includes('<tg-time'),
      fold: String(params.text).includes('<blockquote expandable>'),
      style: JSON.stringify(params.reply_markup ?? {}).includes('"style"'),
    }));

  beforeEach(async () => {
    // The outcomes of earlier tests must not meet the server that knows less.
    await rig.database.query('delete from cards');
    await rig.restart();
  });
  afterEach(() => rig.chat.change('limits', { knowsTimes: true, knowsFolds: true, knowsButtonStyles: true }));

  it('relative times is sent none until restart, and everything else stays formatted', async () => {
    await rig.chat.change('limits', { knowsTimes: false });
    const first = await rig.shown();
    await rig.shown();
    expect(await formatsOf('sendMessage')).toMatchObject([
      { status: 400, mode: 'HTML', time: true },
      { status: 200, mode: 'HTML', time: false, style: true },
      { status: 200, mode: 'HTML', time: false, style: true },
    ]);
    expect(first.card.text).toMatch(/⏳ .* UTC \(\d+ min after the request\)/);
    await rig.chat.press(first.card.messageId, 'Approve');
    expect(await rig.statusOf(first.approval)).toBe('approved');
    await rig.closed(first.card);
    await rig.chat.change('limits', { knowsTimes: true });
    await rig.restart();
    const calls = (await formatsOf('sendMessage')).length;
    await rig.shown();
    expect((await formatsOf('sendMessage')).slice(calls)).toMatchObject([{ status: 200, time: true }]);
  });

  it('colours of buttons is sent none, and the buttons work', async () => {
    await rig.chat.change('limits', { knowsButtonStyles: false });
    const { approval, card } = await rig.shown();
    await rig.shown();
    expect(await formatsOf('sendMessage')).toMatchObject([
      { status: 400, mode: 'HTML', style: true },
      { status: 200, mode: 'HTML', style: false, time: true },
      { status: 200, mode: 'HTML', style: false, time: true },
    ]);
    await rig.chat.press(card.messageId, 'Reject');
    expect(await rig.statusOf(approval)).toBe('rejected');
  });

  it('folds is sent the same text without them, so the same digest', async () => {
    await rig.chat.change('limits', { knowsFolds: false });
    const { approval, card } = await rig.shown();
    await rig.shown();
    expect(await formatsOf('sendMessage')).toMatchObject([
      { status: 400, mode: 'HTML', fold: true },
      { status: 200, mode: 'HTML', fold: false, time: true, style: true },
      { status: 200, mode: 'HTML', fold: false },
    ]);
    const [row] = await rig.database.query<{ display_digest: string }>(
      'select display_digest from cards where approval_id = $1',
      [approval.id],
    );
    expect(row?.display_digest).toBe(`sha256:${createHash('sha256').update(card.text).digest('hex')}`);
  });

  it('any of them is still sent HTML', async () => {
    await rig.chat.change('limits', { knowsTimes: false, knowsFolds: false, knowsButtonStyles: false });
    await rig.shown();
    expect((await formatsOf('sendMessage')).at(-1)).toMatchObject({ status: 200, mode: 'HTML' });
    expect(await formatsOf('sendMessage')).toHaveLength(4);
  });
});

describe('the card of a request', () => {
  it('tells the last three requests of its session and key, with their outcomes', async () => {
    const sessionId = 'a session of its own';
    const { card: first } = await rig.shown({ sessionId, toolInput: { command: 'npm test' } });
    expect(first.text).not.toContain('What led to it');
    await rig.chat.press(first.messageId, 'Approve');
    await rig.closed(first);
    await rig.shown({ sessionId: 'another', toolInput: { command: 'elsewhere' } });
    const { approval, card } = await rig.shown({ sessionId, toolInput: { command: 'npm publish' } });
    expect(card.text).toMatch(/\nWhat led to it:\n✅ 💻 Run[^\n]*: npm test: approved\n/);
    expect(card.text).not.toContain('elsewhere');
    const [row] = await rig.database.query<{ display_digest: string }>(
      'select display_digest from cards where approval_id = $1',
      [approval.id],
    );
    expect(row?.display_digest).toBe(`sha256:${createHash('sha256').update(card.text).digest('hex')}`);
  });
});

describe('telegram.md 15: what does not fit', () => {
  const command = `printf '%s' ${'<&>"'.repeat(3000)} # the end`;

  it('is attached with the SHA-256 that the card shows, and only then can be approved', async () => {
    await rig.chat.fault({ method: 'sendDocument', status: 500, count: 5 });
    const approval = await rig.asked({ toolInput: { command } });
    const incomplete = await rig.chat.card(approval.id, 1);
    expect(buttonsOf(incomplete)[0]).toContain('Reject');
    await until('every upload but the last one failed', async () => {
      await rig.endPauses();
      return (await rig.calls('sendDocument')).length > 5;
    });
    const complete = await rig.chat.card(approval.id, 2);
    const { document } = await rig.chat.find(
      'the document',
      ({ document, text }) => document !== null && text.includes(shortId(approval.id)),
    );
    const bytes = await rig.chat.document(document?.fileId ?? '');
    expect(bytes.toString('utf8')).toContain(command);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(complete.text).toContain(sha256);
    expect(complete.messageId).toBe(incomplete.messageId);
  });
});

describe('a group that became a supergroup', () => {
  it('gets its open cards in the new chat, and the log says what to set', async () => {
    const NEW_CHAT = -1_002_000;
    const { approval } = await rig.shown();
    await rig.chat.change('chats', { chat: Number(CHAT_ID), migrateTo: NEW_CHAT });
    const next = await rig.asked();
    const moved = await until('both cards are in the new chat', async () => {
      const cards = (await rig.chat.messages(NEW_CHAT)).filter((each) => decisionsOf(each).length === 2);
      return cards.length === 2 && cards;
    });
    for (const { id } of [approval, next])
      expect(moved.some(({ text }) => text.includes(shortId(id)))).toBe(true);
    expect(rig.events('escalation.chat-migrated').at(-1)).toMatchObject({
      level: 'error',
      to: String(NEW_CHAT),
      msg: expect.stringContaining('TELEGRAM_CHAT_ID') as string,
    });
    for (const card of moved) await rig.chat.press(card.messageId, 'Approve', 1, NEW_CHAT);
    expect([await rig.statusOf(approval), await rig.statusOf(next)]).toEqual(['approved', 'approved']);
    await until('both show it', async () =>
      (await rig.chat.messages(NEW_CHAT)).every((each) => buttonsOf(each).length === 0),
    );
    await rig.worked();
  });
});
