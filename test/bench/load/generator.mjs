import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { serve } from '../harness/rpc.mjs';
import { median, quantile } from '../harness/statistics.mjs';
import { Connection } from './connection.mjs';
import { Parking } from './parking.mjs';
import { decisionRequest, enqueueRequest, readRequest } from './requests.mjs';

/** Long enough for a call on an idle service to be parked before the decision is sent. */
const PARKED_AFTER_MS = 25;

let unique = 0;

const summary = (latencies, failures, seconds) => ({
  requests: latencies.length,
  failures,
  perSecond: latencies.length / seconds,
  p50: quantile(latencies, 0.5),
  p99: quantile(latencies, 0.99),
  max: Math.max(...latencies.slice(0, 100_000)),
});

/** Every connection asks again as soon as it is answered, for as long as it lasts. */
async function enqueue({ target, path, key, connections, seconds, status = 201 }) {
  const opened = await Promise.all(Array.from({ length: connections }, () => Connection.open(target)));
  const latencies = [];
  let failures = 0;
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  await Promise.all(
    opened.map(async (connection) => {
      for (let now = performance.now(); now < endsAt;) {
        const sentAt = now;
        const answer = await connection.send(enqueueRequest(path, key, unique++));
        now = performance.now();
        if (answer.status === status) latencies.push(now - sentAt);
        else failures++;
      }
    }),
  );
  const took = (performance.now() - startedAt) / 1000;
  for (const connection of opened) connection.close();
  if (latencies.length === 0) throw new Error(`all ${failures} requests to ${path} failed`);
  return summary(latencies, failures, took);
}

/** One request after the other on one connection. */
async function oneByOne(target, requests) {
  const connection = await Connection.open(target);
  const latencies = [];
  for (const bytes of requests) {
    const sentAt = performance.now();
    const { status } = await connection.send(bytes);
    latencies.push(performance.now() - sentAt);
    if (status >= 300) throw new Error(`answered with ${status}`);
  }
  connection.close();
  return median(latencies);
}

const enqueueSlowly = ({ target, path, key, count }) =>
  oneByOne(
    target,
    Array.from({ length: count }, () => enqueueRequest(path, key, unique++)),
  );
const read = ({ target, key, ids }) =>
  oneByOne(
    target,
    ids.map((id) => readRequest(id, key)),
  );
const decide = ({ target, key, ids }) =>
  oneByOne(
    target,
    ids.map((id) => decisionRequest(id, key)),
  );

/** From the sending of a decision until the waiting agent has its answer, in milliseconds. */
async function wake({ target, keys, ids }) {
  const [waiting, deciding] = await Promise.all([Connection.open(target), Connection.open(target)]);
  const latencies = [];
  for (const id of ids) {
    const answered = waiting.send(readRequest(id, keys.agent, 55));
    await sleep(PARKED_AFTER_MS);
    const sentAt = performance.now();
    const decided = deciding.send(decisionRequest(id, keys.operator));
    const { status, body } = await answered;
    latencies.push(performance.now() - sentAt);
    if (status !== 200 || !body.includes('"approved"'))
      throw new Error(`the waiter was told ${status} ${body}`);
    if ((await decided).status !== 200) throw new Error('the decision was refused');
  }
  waiting.close();
  deciding.close();
  return latencies;
}

/** From the sending of a NOTIFY on one connection until another hears it, in milliseconds. */
async function notify({ url, count }) {
  const [listener, sender] = [1, 2].map(() => new pg.Client({ connectionString: url }));
  await Promise.all([listener.connect(), sender.connect()]);
  await listener.query('listen bench');
  const latencies = [];
  for (let n = 0; n < count; n++) {
    await sleep(PARKED_AFTER_MS);
    const heard = new Promise((resolve) => listener.once('notification', resolve));
    const sentAt = performance.now();
    const sent = sender.query({
      name: 'notify',
      text: 'select pg_notify($1, $2)',
      values: ['bench', `${n}`],
    });
    await heard;
    latencies.push(performance.now() - sentAt);
    await sent;
  }
  await Promise.all([listener.end(), sender.end()]);
  return latencies;
}

const parking = new Parking();

serve({
  enqueue,
  enqueueSlowly,
  read,
  decide,
  wake,
  notify,
  park: (options) => parking.park(options),
  parked: () => parking.state(),
  emptied: () => parking.emptied(),
  leave: () => parking.leave(),
});
