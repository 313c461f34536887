import { ALWAYS, TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';
import { BOT_TOKEN } from '../support/well-known';

/** As the sandbox names the bot of the tests. */
const BOT_NAME = `countersign_${BOT_TOKEN.split(':')[0]}_bot`;

let rig: TelegramRig;
beforeAll(async () => {
  rig = await TelegramRig.start({ APPROVAL_SWEEP_INTERVAL_SECONDS: '1' });
});
afterAll(() => rig.close());
beforeEach(() => rig.wipe());

async function down(): Promise<void> {
  await rig.chat.fault({ method: '*', reset: 'before', count: ALWAYS });
}

async function up(): Promise<void> {
  await rig.chat.clearFaults();
  await rig.database.query(`update lanes set available_at = now()`);
  await rig.database.query(`update outbox_lanes set available_at = now()`);
}

describe('a request gets from its asking to the outcome on its card, decided once, though every step meets', () => {
  it.each([
    { fault: { status: 500 }, copies: 1 },
    { fault: { status: 502, body: 'html' }, copies: 1 },
    { fault: { status: 503 }, copies: 1 },
    { fault: { status: 504 }, copies: 1 },
    { fault: { status: 429, retryAfter: 1 }, copies: 1 },
    { fault: { reset: 'before' }, copies: 1 },
    { fault: { reset: 'after' }, copies: 2 },
    { fault: { body: 'truncated' }, copies: 2 },
    { fault: { body: 'empty' }, copies: 2 },
    { fault: { delayMs: 300 }, copies: 1 },
  ])('$fault', async ({ fault, copies }) => {
    for (const method of ['sendMessage', 'editMessageText', 'getUpdates'])
      await rig.chat.fault({ method, ...fault });
    const approval = await rig.asked();
    const waiting = rig.api.get(approval.id, 30);
    await rig.worked(approval);
    const cards = await rig.chat.cardsOf(approval.id);
    expect(cards).toHaveLength(copies);
    // On the copy that nobody heard of, if there is one.
    const [card] = cards;
    if (!card) throw new Error('no card');
    expect(await rig.chat.press(card.messageId, 'Approve')).not.toBeNull();
    expect((await waiting).body.status).toBe('approved');
    for (const each of cards) await rig.closed(each, 20_000);
    const endings = await rig.database.query(
      `select type from audit_log where approval_id = $1 and type <> 'approval.enqueued' and type not like '%-refused'`,
      [approval.id],
    );
    expect(endings).toEqual([{ type: 'approval.approved' }]);
  });
});

describe('while Telegram does not answer at all', () => {
  afterEach(up);

  it('asking is answered all the same, and the request is decided through the API; its waiter hears', async () => {
    await down();
    const approval = await rig.asked();
    const waiting = rig.api.get(approval.id, 30);
    expect((await rig.api.decide(approval.id, 'approved')).status).toBe(200);
    expect((await waiting).body.status).toBe('approved');
  });

  it('a request can be cancelled, and another expires in time', async () => {
    await down();
    const cancelled = await rig.asked();
    const left = await rig.asked({ timeoutSeconds: 1 });
    expect((await rig.api.cancel(cancelled.id)).body.status).toBe('cancelled');
    expect((await rig.api.get(left.id, 10)).body.status).toBe('expired');
  });

  it('the service is alive, ready and says degraded; it tells the log once, however long it lasts', async () => {
    // The trouble of earlier tests is over: a new process has seen none.
    await rig.restart();
    await rig.shown();
    const told = rig.events('telegram.unreachable').length;
    await down();
    for (let n = 0; n < 5; n++) await rig.asked();
    await until('the circuit opens', async () => (await rig.breaker()).state !== 'closed');
    const { status, body } = await rig.api.call<{
      status: string;
      details: { telegram: { degraded?: boolean } };
    }>(null, 'GET', '/health');
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'ok', details: { telegram: { status: 'up', degraded: true } } });
    for (const path of ['/health/live', '/health/ready'])
      expect((await rig.api.call(null, 'GET', path)).status).toBe(200);
    const failed = rig.events('telegram.call').length;
    await until('it fails on', () => rig.events('telegram.call').length >= failed + 3);
    expect(rig.events('telegram.unreachable').length - told).toBe(1);
  });

  it('everything asked meanwhile gets its card afterwards, in the order of the asking, once', async () => {
    await down();
    const asked = [];
    for (let n = 0; n < 6; n++) asked.push(await rig.asked());
    await until('the circuit opens', async () => (await rig.breaker()).state !== 'closed');
    await up();
    const cards = [];
    for (const { id } of asked) cards.push(await rig.chat.card(id));
    const places = cards.map(({ messageId }) => messageId);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    await rig.worked();
    for (const { id } of asked) expect(await rig.chat.cardsOf(id)).toHaveLength(1);
  });

  it('what is settled meanwhile is written on its card afterwards, and what nobody saw needs none', async () => {
    const { approval, card } = await rig.shown();
    await down();
    const unseen = await rig.asked();
    await rig.api.decide(approval.id, 'rejected', 'while it was dark');
    await rig.api.decide(unseen.id, 'approved');
    await until('the circuit opens', async () => (await rig.breaker()).state !== 'closed');
    await up();
    expect((await rig.closed(card)).text).toContain('while it was dark');
    await rig.worked();
    expect(await rig.chat.cardsOf(unseen.id)).toEqual([]);
  });

  it('the service starts, serves, and shows what was asked once Telegram is back', async () => {
    await down();
    await rig.restart();
    const approval = await rig.asked();
    expect(await rig.statusOf(approval)).toBe('pending');
    await up();
    const card = await rig.chat.card(approval.id, 2, 25_000);
    await rig.chat.press(card.messageId, 'Reject');
    expect(await rig.statusOf(approval)).toBe('rejected');
  });

  it('the service stops, and what it had not said is said by the next one', async () => {
    const { approval, card } = await rig.shown();
    await down();
    const unsaid = await rig.asked();
    await rig.api.decide(approval.id, 'approved');
    await rig.app.close();
    await up();
    await rig.restart();
    await rig.closed(card);
    await rig.chat.card(unsaid.id);
  });

  it('what the circuit refuses takes no room of the send budget', async () => {
    await rig.api.call('operator', 'POST', '/api/diagnostics/circuit-breaker', { action: 'open' });
    await rig.database.query('truncate send_slots');
    await rig.chat.say('/status');
    await until('the reply was refused', () => rig.events('telegram.reply-failed').length > 0);
    expect(await rig.database.query('select 1 from send_slots')).toEqual([]);
    await rig.api.call('operator', 'POST', '/api/diagnostics/circuit-breaker', { action: 'close' });
  });

  it('with the circuit held open by hand nothing is tried, and all goes on when it is let go', async () => {
    await rig.api.call('operator', 'POST', '/api/diagnostics/circuit-breaker', { action: 'open' });
    const approval = await rig.asked();
    const sends = (await rig.calls('sendMessage')).length;
    // Taps and polls go on; the clock of a break does not run.
    await rig.chat.say('hello');
    expect((await rig.breaker()).state).toBe('open');
    expect(await rig.calls('sendMessage')).toHaveLength(sends);
    await rig.api.call('operator', 'POST', '/api/diagnostics/circuit-breaker', { action: 'close' });
    await rig.chat.card(approval.id);
  });
});

describe('while only getMe fails', () => {
  beforeEach(async () => {
    await rig.chat.fault({ method: 'getMe', status: 500, count: ALWAYS });
  });
  afterEach(up);

  it('since the start, cards go out and taps count, and the bot learns its name once getMe works', async () => {
    await rig.restart();
    const approval = await rig.asked();
    const card = await rig.chat.card(approval.id, 2, 25_000);
    await rig.chat.press(card.messageId, 'Approve');
    expect(await rig.statusOf(approval)).toBe('approved');
    await rig.closed(card);
    expect(rig.events('telegram.name-unknown')).toHaveLength(1);
    // The name may be another bot's: ignored, as a message to somebody else. A bare command is answered.
    const early = await rig.chat.say(`/whoami@${BOT_NAME}`);
    await rig.chat.ask('/help');
    expect(rig.events('telegram.update-failed')).toEqual([]);
    expect((await rig.chat.messages()).filter(({ replyTo }) => replyTo === early)).toEqual([]);

    await rig.chat.clearFaults();
    await until('the bot knows its name', () => rig.events('telegram.name-known').length === 1);
    expect(await rig.chat.ask(`/whoami@${BOT_NAME}`)).toContain('You are an operator');
  });

  it('an open circuit closes all the same', async () => {
    await rig.chat.fault({ method: 'sendMessage', status: 500, count: ALWAYS });
    const approvals = [await rig.asked(), await rig.asked(), await rig.asked()];
    await until('the circuit opens', async () => (await rig.breaker()).state === 'open');
    await rig.chat.clearFaults();
    await rig.chat.fault({ method: 'getMe', status: 500, count: ALWAYS });
    await until('the circuit closes', async () => (await rig.breaker()).state === 'closed');
    await up();
    await rig.chat.fault({ method: 'getMe', status: 500, count: ALWAYS });
    for (const { id } of approvals) await rig.chat.card(id, 2, 25_000);
  });
});

it('with Telegram off, requests are asked, decided, cancelled and expire all the same', async () => {
  await rig.restart({ TELEGRAM_BOT_TOKEN: '', TELEGRAM_CHAT_ID: '', TELEGRAM_OPERATORS: '' });
  const decided = await rig.asked();
  const left = await rig.asked({ timeoutSeconds: 1 });
  const waiting = rig.api.get(decided.id, 30);
  await rig.api.decide(decided.id, 'approved');
  expect((await waiting).body.status).toBe('approved');
  expect((await rig.api.get(left.id, 10)).body.status).toBe('expired');
  const unseen = await rig.asked();
  // Turned on again, it shows what is still pending.
  await rig.restart();
  await rig.chat.card(unseen.id);
});
