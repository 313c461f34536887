import { setTimeout as sleep } from 'node:timers/promises';
import { addPending, ask } from '../harness/population.mjs';
import { inTurn, median, ratiosOf } from '../harness/statistics.mjs';
import { KEYS } from '../harness/stage.mjs';
import { waiters } from '../harness/limits.mjs';

const SAMPLES = 100;
/** Decisions until Node has compiled what is hot, as in a service that runs for weeks. */
const WARM_UP = 300;
const FEW = 200;
const WINDOW_SECONDS = 10;
/** Parked in numbers on the way to the most, for the plot. */
const STEPS = [200, 1_000, 3_000, 10_000];

const addressOf = ({ host, port }) => ({ host, port });

async function decision({ stage, rounds, progress }) {
  const { environment } = await stage.sandbox();
  const database = await stage.database();
  const service = await stage.service(database, environment);
  const generator = await stage.remote('load/generator.mjs');
  const ids = await addPending(database, service, WARM_UP + SAMPLES * rounds);
  const wake = (count = SAMPLES) =>
    generator.call('wake', { target: addressOf(service), keys: KEYS, ids: ids.splice(0, count) });
  await wake(WARM_UP);
  await generator.call('notify', { url: database.url, count: WARM_UP });
  const pairs = await inTurn(
    rounds,
    {
      ours: async () => median(await wake()),
      baseline: async () => median(await generator.call('notify', { url: database.url, count: SAMPLES })),
    },
    (n) => progress(`decision to waiter, round ${n}`),
  );
  const ms = (side) => median(pairs.map((pair) => pair[side])).toFixed(2);
  return [{ n: 4, ratios: ratiosOf(pairs), note: `${ms('ours')} against ${ms('baseline')} ms` }];
}

/** Parks so many calls, each on a request of its own, and waits until the service holds them. */
export async function park({ database, service, parking, count, kind }) {
  const before = await service.metric('escalation_waiters');
  const ids = await addPending(database, service, count);
  await parking.call('park', { target: addressOf(service), key: KEYS.agent, ids, kind });
  while ((await service.metric('escalation_waiters')) < before + count) await sleep(50);
}

/** Ends all parked calls, and waits until the service holds none: who is about to go would be counted as having come. */
export async function unpark({ service, parking }) {
  await parking.call('leave');
  while ((await service.metric('escalation_waiters')) > 0) await sleep(50);
}

async function manyWaiters({ stage, rounds, progress }) {
  const many = waiters();
  // A day between sweeps, and no Telegram: what is sent to the database is for the waiters.
  const quiet = { APPROVAL_SWEEP_INTERVAL_SECONDS: '3600' };
  const sides = {};
  for (const [side, count] of Object.entries({ ours: many, baseline: FEW })) {
    const database = await stage.database();
    const service = await stage.service(database, quiet, { preload: ['load/count-statements.cjs'] });
    sides[side] = { database, service, count, parking: await stage.remote('load/generator.mjs') };
  }
  const generator = await stage.remote('load/generator.mjs');
  const samples = async ({ service }, count = SAMPLES) => {
    const ids = [];
    for (let n = 0; n < count; n++) ids.push((await ask(service)).id);
    return generator.call('wake', { target: addressOf(service), keys: KEYS, ids });
  };
  const statements = ({ service }) => service.ask('statements');

  // Streams are not asked for again every 55 s, as calls that wait are: what is counted is the poll.
  await park({ ...sides.ours, kind: 'stream' });
  await park({ ...sides.baseline, count: 10, kind: 'stream' });
  const polls = [];
  for (let round = 0; round < rounds; round++) {
    progress(`poll with ${many} waiters, round ${round + 1}`);
    const before = [await statements(sides.ours), await statements(sides.baseline)];
    await sleep(WINDOW_SECONDS * 1000);
    const after = [await statements(sides.ours), await statements(sides.baseline)];
    polls.push({ ours: after[0] - before[0], baseline: after[1] - before[1] });
  }
  for (const side of Object.values(sides)) await unpark(side);

  const curve = [];
  await park({ ...sides.baseline, count: FEW });
  let parked = 0;
  for (const step of STEPS.filter((each) => each <= many)) {
    progress(`wake with ${step} waiters`);
    await park({ ...sides.ours, count: step - parked });
    parked = step;
    curve.push({ waiters: step, ms: median(await samples(sides.ours)) });
  }
  const wakes = await inTurn(
    rounds,
    {
      ours: async () => median(await samples(sides.ours)),
      baseline: async () => median(await samples(sides.baseline)),
    },
    (n) => progress(`wake with ${many} and ${FEW} waiters, round ${n}`),
  );
  const ms = (side) => median(wakes.map((pair) => pair[side])).toFixed(2);
  return [
    {
      n: 5,
      ratios: ratiosOf(wakes),
      note: `${ms('ours')} with ${many} against ${ms('baseline')} ms`,
      curve,
      scaledDown: many < STEPS.at(-1),
    },
    {
      n: 6,
      ratios: ratiosOf(polls),
      note: `${median(polls.map(({ ours }) => ours)) / WINDOW_SECONDS} a second with ${many} waiters`,
      scaledDown: many < STEPS.at(-1),
    },
  ];
}

export default [
  { rows: [4], measure: decision },
  { rows: [5, 6], measure: manyWaiters },
];
