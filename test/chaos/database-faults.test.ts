import { Api } from '../support/api';
import {
  ALWAYS,
  ask,
  asked,
  closedCards,
  deadLetters,
  endingsOf,
  HASTE,
  outboxDrained,
} from '../support/chaos';
import { Service } from '../support/processes';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

let backdrop: Backdrop;
let wire: TcpProxy;
let service: Service;
let api: Api;

beforeAll(async () => {
  backdrop = await setBackdrop();
  wire = await startTcpProxy(backdrop.database.url);
  service = await Service.start({
    ...backdrop.environment,
    ...HASTE,
    DATABASE_URL: wire.url,
    // Longer than the database is away here, so that only what is forgotten is done twice; short enough to wait for
    // a claim that was ended after its COMMIT.
    ESCALATION_LEASE_SECONDS: '10',
  });
  api = new Api(service.url);
});
afterEach(async () => {
  // A process that ends says why here.
  expect(service.errors).toEqual([]);
  wire.mend();
  await backdrop.chat.clearFaults();
  await outboxDrained(backdrop.database);
});
afterAll(async () => {
  await wire.close();
  await strike();
});

interface Struck {
  readonly ended: boolean;
  readonly listening: boolean;
}

/** Ends what the service has open at the database: the pool's connections and the one that listens. */
const terminateAll = (): Promise<Struck[]> =>
  backdrop.database.query(
    `select pg_terminate_backend(pid) as ended, application_name = 'countersign-listener' as listening
     from pg_stat_activity where datname = current_database() and application_name like 'countersign%'`,
  );

const ready = (): Promise<true> =>
  until('it is ready', async () => (await api.call(null, 'GET', '/health/ready')).status === 200).then(
    () => true,
  );

it('the database away while a card is on its way: the card is known afterwards, sent once, and Telegram is not blamed', async () => {
  const { chat, database } = backdrop;
  const calls = (await chat.calls('sendMessage')).length;
  await chat.fault({ method: 'sendMessage', delayMs: 700 });
  const { id } = await asked(api);
  await until('it is on its way', async () => (await chat.calls('sendMessage')).length > calls);
  wire.cut();
  await until('Telegram has shown it', async () => (await chat.cardsOf(id)).length === 1);
  await until('it cannot be written down', async () => (await api.get(id)).status === 503);
  await until('the service has heard of it', () =>
    service
      .eventsNamed('telegram.call')
      .some(({ method, durationMs }) => method === 'sendMessage' && Number(durationMs) >= 700),
  );
  wire.mend();
  await outboxDrained(database);
  expect(await chat.cardsOf(id)).toHaveLength(1);
  const card = await chat.card(id);
  expect(
    await database.query('select message_id::int as "messageId" from cards where approval_id = $1', [id]),
  ).toEqual([{ messageId: card.messageId }]);
  expect(service.eventsNamed('telegram.unreachable')).toEqual([]);
  const { body: breaker } = await api.call<{ totalFailures: number }>(
    'operator',
    'GET',
    '/api/diagnostics/circuit-breaker',
  );
  expect(breaker.totalFailures).toBe(0);
});

it('a tap while the database is away is not lost: it counts, and is answered, when it is back', async () => {
  const { chat, database } = backdrop;
  const { id } = await asked(api);
  const card = await chat.card(id);
  wire.cut();
  const tapped = chat.press(card.messageId, 'Approve');
  await until(
    'the tap could not be decided in time',
    () => service.eventsNamed('telegram.tap-slow').length > 0,
  );
  wire.mend();
  expect(await tapped).toMatchObject({ showAlert: false });
  await closedCards(chat, id, 1);
  expect(await endingsOf(database, [id])).toEqual([['approval.approved']]);
});

it('every connection ended between all steps, LISTEN and one in a transaction included: each request is decided once and each waiter hears it', async () => {
  const { chat, database } = backdrop;
  const ids: string[] = [];
  const waiters: Promise<unknown>[] = [];
  for (let round = 0; round < 3; round++) {
    const keys = Array.from({ length: 4 }, (_, n) => `storm-${round}-${n}`);
    const asking = keys.map((key) => patiently(key));
    await terminateAll();
    const asked = await Promise.all(asking);
    ids.push(...asked);
    waiters.push(...asked.map(settled));
    // A connection that was ended may still be listed: only what was struck counts.
    await until('LISTEN is struck, and a transaction', async () =>
      (await terminateInTransaction()).some(({ ended, listening }) => ended && listening),
    );
    const cards = await Promise.all(asked.map((id) => chat.card(id, 2, 30_000)));
    const taps = cards.map(({ messageId }) => chat.press(messageId, 'Approve'));
    await terminateAll();
    await Promise.all(taps);
  }
  expect(await Promise.all(waiters)).toEqual(ids.map(() => 'approved'));
  await outboxDrained(database, 30_000);
  for (const id of ids) await closedCards(chat, id, 1);
  expect(await endingsOf(database, ids)).toEqual(ids.map(() => ['approval.approved']));
  expect(await deadLetters(database)).toEqual([]);

  /** The row that every claim locks first is held, so that one surely stands in its transaction. */
  async function terminateInTransaction(): Promise<Struck[]> {
    await database.query('begin');
    try {
      await database.query(`select 1 from leases where name = 'send-budget' for update`);
      await until('a transaction waits', async () => {
        // Inside a transaction, the list of sessions stays as it was first seen.
        await database.query('select pg_stat_clear_snapshot()');
        const waiting = await database.query(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      });
      return await terminateAll();
    } finally {
      await database.query('rollback');
    }
  }
  /** As a careful agent: the same request again until it is stored. */
  async function patiently(key: string): Promise<string> {
    return until('it is stored', async () => {
      const { status, body } = await api.enqueue({}, { 'idempotency-key': key });
      expect([200, 201, 503]).toContain(status);
      return status !== 503 && body.id;
    });
  }
  async function settled(id: string): Promise<string> {
    return until(
      'it has settled',
      async () => {
        const { status, body } = await api.get(id, 20);
        expect([200, 503]).toContain(status);
        return status === 200 && body.status !== 'pending' && body.status;
      },
      40_000,
    );
  }
}, 90_000);

it('database and Telegram away together: nothing is lost, and what was settled meanwhile is shown', async () => {
  const { chat, database } = backdrop;
  const { id: seen } = await asked(api);
  await chat.card(seen);
  await chat.fault({ method: '*', status: 503, count: ALWAYS });
  const ids = await ask(api, 5);
  await api.decide(seen, 'rejected');
  await until('the circuit is open', () =>
    service.eventsNamed('circuit.changed').some(({ to }) => to === 'open'),
  );
  wire.cut();
  await until('the database is missed', async () => (await api.get(seen)).status === 503);
  wire.mend();
  await ready();
  await api.decide(ids[0] ?? '', 'approved');
  await chat.clearFaults();
  for (const id of ids.slice(1)) await chat.card(id, 2, 30_000);
  await closedCards(chat, seen, 1, 30_000);
  await outboxDrained(database, 30_000);
  for (const id of ids.slice(1)) expect(await chat.cardsOf(id)).toHaveLength(1);
  expect(await chat.cardsOf(ids[0] ?? '')).toEqual([]);
  expect(await deadLetters(database)).toEqual([]);
});
