import { Api } from '../support/api';
import { ask, asked, closedCards, deadLetters, HASTE, outboxDrained } from '../support/chaos';
import { Service } from '../support/processes';
import { decisionsOf } from '../support/sandbox-client';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

const PENDING = 1_000;
/** The budget of all chats binds: its window of a second is the shortest, so a test can be many windows long. */
const PER_SECOND = 30;
const UNBOUND = { TELEGRAM_BUDGET_CHAT_PER_SECOND: '10000', TELEGRAM_BUDGET_GROUP_PER_MINUTE: '100000' };
/** Messages sent at one moment may overtake each other: three to one chat. */
const SIDE_BY_SIDE = 3;
/** A window of a second opens with the ends of its calls, which the minimum does not know: 1.05 to 1.1 is usual. */
const MAX_RECOVERY_PER_MINIMUM = 1.2;

let backdrop: Backdrop;
let wire: TcpProxy;
let service: Service;
let api: Api;

beforeAll(async () => {
  backdrop = await setBackdrop();
  wire = await startTcpProxy(backdrop.environment.TELEGRAM_API_ROOT ?? '');
  service = await Service.start({
    ...backdrop.environment,
    ...HASTE,
    ...UNBOUND,
    TELEGRAM_API_ROOT: wire.url,
    TELEGRAM_BUDGET_PER_SECOND: String(PER_SECOND),
    // 1000 pending requests are more than an hour's worth of log lines at this level.
    LOG_LEVEL: 'info',
  });
  api = new Api(service.url);
  await backdrop.chat.change('limits', { perSecond: PER_SECOND });
});
afterAll(async () => {
  await wire.close();
  await strike();
});

it(`after an outage with ${PENDING} pending: every card comes in the order of urgency, at the pace of the budget; told once`, async () => {
  const { chat, database } = backdrop;
  const { id: seen } = await asked(api);
  await chat.card(seen);
  wire.cut();
  const ids = (await Promise.all(Array.from({ length: 10 }, () => ask(api, PENDING / 10)))).flat().sort();
  await until(
    'the circuit is open',
    () => service.eventsNamed('circuit.changed').some(({ to }) => to === 'open'),
    30_000,
  );
  // Decidable although no operator sees it, and its outcome waits behind every card.
  expect((await api.decide(seen, 'approved')).body.status).toBe('approved');
  expect(await chat.messages()).toHaveLength(1);

  const sentBefore = (await chat.calls('sendMessage')).length;
  wire.mend();
  const backAt = Date.now();
  // Asked of the database: to list a thousand messages again and again would slow down what is measured.
  await outboxDrained(database, 120_000);
  await closedCards(chat, seen, 1);
  const sends = (await chat.calls('sendMessage')).slice(sentBefore);
  const edits = await chat.calls('editMessageText');

  const shown = new Map(
    (await chat.messages()).flatMap((message) =>
      ids.filter((id) => message.text.includes(id.slice(-8))).map((id) => [id, message] as const),
    ),
  );
  expect(shown.size).toBe(PENDING);
  expect([...shown.values()].every((message) => decisionsOf(message).length === 2)).toBe(true);
  expect(await deadLetters(database)).toEqual([]);

  const lastMs = Math.max(...sends.map(({ atMs }) => atMs));
  const perMinimum = (lastMs - backAt) / ((1_000 * (sends.length - PER_SECOND)) / PER_SECOND);
  console.log(
    `outage recovery ÷ minimum: ${perMinimum.toFixed(3)} (${sends.length} messages in ${lastMs - backAt} ms)`,
  );
  expect(perMinimum).toBeLessThanOrEqual(MAX_RECOVERY_PER_MINIMUM);

  expect(Math.min(...edits.map(({ atMs }) => atMs))).toBeGreaterThanOrEqual(
    sends.at(-SIDE_BY_SIDE)?.atMs ?? NaN,
  );
  const order = sends.flatMap(({ params }) => {
    const place = ids.findIndex((id) => String(params.text).includes(id.slice(-8)));
    return place < 0 ? [] : [place];
  });
  const firsts = order.filter((place, at) => order.indexOf(place) === at);
  const overtaken = firsts.map((place, at) => Math.abs(place - at));
  expect(Math.max(...overtaken)).toBeLessThanOrEqual(4 * SIDE_BY_SIDE);

  expect(service.eventsNamed('telegram.unreachable')).toHaveLength(1);
  await until('the recovery is told', () => service.eventsNamed('telegram.reached').length === 1);
  expect((await chat.calls('sendMessage')).filter(({ status }) => status === 429)).toEqual([]);
}, 180_000);
