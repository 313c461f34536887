import { shortId } from '../../src/cards/short-id';
import { Api } from '../support/api';
import { startBalancer, type Balancer } from '../support/balancer';
import { asked, deadLetters, endingsOf, HASTE, outboxDrained } from '../support/chaos';
import { openEventStream } from '../support/event-stream';
import { freePort, Service } from '../support/processes';
import { buttonsOf } from '../support/sandbox-client';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

/** As in `deploy/`: several looks of a balancer. */
const NOTICE_SECONDS = '3';
/** Requests that nobody decides before both replicas have been restarted; half are waited for by long poll. */
const PARKED = 20;
/** Agents that ask and are decided all the while. */
const BUSY = 6;
const DECIDED_WITHIN_MS = 60_000;

interface Replica {
  readonly url: string;
  service: Service;
}

let backdrop: Backdrop;
let balancer: Balancer;
let api: Api;
const replicas: Replica[] = [];
/** Every request that was stored, by its answer. */
const ids: string[] = [];
/** Waits that ended with the request still pending because their replica left. */
const sentAway = { polls: 0, streams: 0 };

async function started(port: number): Promise<Service> {
  return Service.start({
    ...backdrop.environment,
    ...HASTE,
    // As in production: what is doubled here is not doubled by a lease that is too short.
    ESCALATION_LEASE_SECONDS: '30',
    SHUTDOWN_NOTICE_SECONDS: NOTICE_SECONDS,
    PORT: String(port),
  });
}

beforeAll(async () => {
  const ports = [await freePort(), await freePort()];
  const addressOf = (port: number): string => `http://127.0.0.1:${port}`;
  balancer = await startBalancer(ports.map(addressOf));
  api = new Api(balancer.url);
  backdrop = await setBackdrop();
  for (const port of ports) replicas.push({ url: addressOf(port), service: await started(port) });
  await until('both are in use', async () => {
    await fetch(`${balancer.url}/health/live`);
    return replicas.every(({ url }) => balancer.given(url) > 0);
  });
});
afterAll(async () => {
  await strike();
  await balancer.close();
});

async function ask(): Promise<string> {
  const { id } = await asked(api);
  ids.push(id);
  return id;
}

/** As agents wait: again as long as the answer is no decision. Whatever is no answer fails the test. */
async function polled(id: string): Promise<string> {
  for (;;) {
    const { status, body } = await api.get(id, 50);
    if (status !== 200) throw new Error(`a waiting call was answered with ${status}`);
    if (body.status !== 'pending') return body.status;
    sentAway.polls++;
  }
}

/** The same by event stream: one that was cut off rejects. */
async function streamed(id: string): Promise<string> {
  for (;;) {
    const stream = await openEventStream(`${balancer.url}/api/approvals/${id}/events`, AGENT_KEY);
    if (stream.status !== 200) throw new Error(`a stream was answered with ${stream.status}`);
    await stream.ended;
    const last = stream.events().at(-1)?.data.status ?? 'nothing';
    if (last !== 'pending') return last;
    sentAway.streams++;
  }
}

const waits = [polled, streamed] as const;
const waited = (id: string, n: number): Promise<string> => (waits[n % waits.length] ?? polled)(id);

/** Once its card is there: one by tap, two by key. */
async function approve(id: string, n: number): Promise<void> {
  const { messageId } = await backdrop.chat.card(id, 2, DECIDED_WITHIN_MS);
  if (n % 3 === 0)
    expect(await backdrop.chat.press(messageId, 'Approve')).toMatchObject({ showAlert: false });
  else expect((await api.decide(id, 'approved')).status).toBe(200);
}

/** Asks, is decided by tap or by key, hears it, and begins again. @returns what it was told. */
async function busy(n: number, over: AbortSignal): Promise<string[]> {
  const told: string[] = [];
  for (let turn = n; !over.aborted; turn++) {
    const id = await ask();
    const hearing = heardLater(waited(id, turn));
    await approve(id, turn);
    told.push(await hearing);
  }
  return told;
}

/** As the deployment guide has it: stop, start, and on to the next when it is ready and in use. */
async function restart(replica: Replica): Promise<void> {
  const askedBefore = ids.length;
  expect(await replica.service.stop()).toEqual({ code: 0, signal: null });
  expect(ids.length).toBeGreaterThan(askedBefore);
  healthy(replica.service);
  replica.service = await started(Number(new URL(replica.url).port));
  const before = balancer.given(replica.url);
  await until('it is in use again', () => balancer.given(replica.url) > before);
}

/** A failure is told where it is awaited, which may be long after it happened. */
function heardLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function healthy({ errors, events }: Service): void {
  expect(errors).toEqual([]);
  expect(events.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
}

it('one replica restarted after the other, under load, with waiters parked: no call fails, no card is lost or doubled, and every waiter hears its decision', async () => {
  const over = new AbortController();
  const parkedIds = await Promise.all(Array.from({ length: PARKED }, ask));
  const parked = heardLater(Promise.all(parkedIds.map(waited)));
  const load = heardLater(Promise.all(Array.from({ length: BUSY }, (_, n) => busy(n, over.signal))));

  for (const replica of replicas) await restart(replica);
  over.abort();
  const told = (await load).flat();
  expect(sentAway.polls).toBeGreaterThan(0);
  expect(sentAway.streams).toBeGreaterThan(0);
  const statuses = await backdrop.database.query<{ status: string }>(
    `select distinct status from approvals where id = any($1)`,
    [parkedIds],
  );
  expect(statuses).toEqual([{ status: 'pending' }]);
  await Promise.all(parkedIds.map(approve));
  told.push(...(await parked));

  expect(told).toEqual(ids.map(() => 'approved'));
  // As many as were acknowledged: none was stored unheard.
  expect(await backdrop.database.query(`select count(*)::int as stored from approvals`)).toEqual([
    { stored: ids.length },
  ]);
  expect(await endingsOf(backdrop.database, ids)).toEqual(ids.map(() => ['approval.approved']));
  await outboxDrained(backdrop.database, DECIDED_WITHIN_MS);
  expect(await deadLetters(backdrop.database)).toEqual([]);
  const cards = await backdrop.chat.messages();
  expect(cards.filter((card) => buttonsOf(card).length > 0)).toEqual([]);
  expect(cards).toHaveLength(ids.length);
  for (const id of ids) expect(cards.filter(({ text }) => text.includes(shortId(id)))).toHaveLength(1);
  for (const { service } of replicas) healthy(service);
});
