import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { serve } from '../harness/rpc.mjs';
import { median, quantile } from '../harness/statistics.mjs';
import { Connection } from './connection.mjs';
import { Parking } from './parking.mjs';
import { decisionRequest, enqueueRequest, readRequest, request } from './requests.mjs';

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

const open = (target, connections) =>
  Promise.all(Array.from({ length: connections }, () => Connection.open(target)));

/** Every connection asks again as soon as it is answered: for so many seconds, or so many times in all. */
async function enqueue({ target, path, key, connections, command, seconds = Infinity, count = Infinity }) {
  const opened = await open(target, connections);
  const latencies = [];
  let failures = 0;
  let left = count;
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  await Promise.all(
    opened.map(async (connection) => {
      for (let now = performance.now(); now < endsAt && left-- > 0;) {
        const sentAt = now;
        const answer = await connection.send(enqueueRequest(path, key, unique++, command));
        now = performance.now();
        if (answer.status === 201) latencies.push(now - sentAt);
        else failures++;
      }
    }),
  );
  const took = (performance.now() - startedAt) / 1000;
  for (const connection of opened) connection.close();
  if (latencies.length === 0) throw new Error(`all ${failures} requests to ${path} failed`);
  return summary(latencies, failures, took);
}

/** So many a second, whether or not earlier ones are answered. */
async function paced({ target, path, key, perSecond, seconds }) {
  const free = [];
  const latencies = [];
  let failures = 0;
  const one = async () => {
    const sentAt = performance.now();
    const connection = free.pop() ?? (await Connection.open(target));
    const { status } = await connection.send(enqueueRequest(path, key, unique++));
    free.push(connection);
    if (status === 201) latencies.push(performance.now() - sentAt);
    else failures++;
  };
  const startedAt = performance.now();
  const asked = [];
  for (let n = 0; n < perSecond * seconds; n++) {
    await sleep(startedAt + (n * 1000) / perSecond - performance.now());
    asked.push(one());
  }
  await Promise.all(asked);
  for (const connection of free) connection.close();
  return summary(latencies, failures, seconds);
}

/** Agents that ask, wait until somebody approves, and ask again; times are from the asking to the hearing. */
async function journeys({ target, keys, agents, each }) {
  const latencies = [];
  let failures = 0;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: agents }, async () => {
      const [agent, operator] = await open(target, 2);
      for (let n = 0; n < each; n++) {
        const sentAt = performance.now();
        const asked = await agent.send(enqueueRequest('/api/approvals', keys.agent, unique++));
        const { id } = JSON.parse(asked.body);
        const heard = agent.send(readRequest(id, keys.agent, 55));
        const decided = await operator.send(decisionRequest(id, keys.operator));
        const { status, body } = await heard;
        const approved = status === 200 && body.includes('"status":"approved"');
        if (asked.status === 201 && decided.status === 200 && approved)
          latencies.push(performance.now() - sentAt);
        else failures++;
      }
      agent.close();
      operator.close();
    }),
  );
  return summary(latencies, failures, (performance.now() - startedAt) / 1000);
}

/** Sends each call once. @returns how many answers there were of each status; 0: the connection was lost. */
async function calls({ target, calls: asked, connections }) {
  const left = asked.map(({ method, path, key, body, idempotencyKey }) =>
    request(method, path, key, body, idempotencyKey ? `Idempotency-Key: ${idempotencyKey}\r\n` : ''),
  );
  const answers = {};
  await Promise.all(
    Array.from({ length: connections }, async () => {
      let connection = await Connection.open(target);
      for (let bytes = left.pop(); bytes; bytes = left.pop()) {
        const { status } = await connection.send(bytes).catch(() => ({ status: 0 }));
        answers[status] = (answers[status] ?? 0) + 1;
        if (connection.socket.destroyed) connection = await Connection.open(target);
      }
      connection.close();
    }),
  );
  return answers;
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
  paced,
  journeys,
  calls,
  enqueueSlowly,
  read,
  decide,
  wake,
  notify,
  park: (options) => parking.park(options),
  parked: () => parking.state(),
  emptied: () => parking.emptied(),
  leave: (count) => parking.leave(count),
});
